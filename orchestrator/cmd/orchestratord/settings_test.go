package main

import (
	"reflect"
	"slices"
	"testing"

	"github.com/llorch/gateway/orchestrator"
)

// TestEverySettingHasOneKey: a field that is added to orchestrator.Settings reaches the
// orchestrator by itself, because its Config and the options embed the struct; the key
// is what can be forgotten.
func TestEverySettingHasOneKey(t *testing.T) {
	forPrograms := []string{"Resolver", "ModelCAs", "NodeCAs"} // what no file can hold
	for field := range reflect.TypeFor[orchestrator.Settings]().Fields() {
		if !field.IsExported() || slices.Contains(forPrograms, field.Name) {
			continue
		}
		var before, after config
		value := reflect.ValueOf(&after.options).Elem().FieldByName(field.Name)
		switch value.Kind() {
		case reflect.String:
			value.SetString("x")
		case reflect.Slice:
			value.Set(reflect.MakeSlice(value.Type(), 1, 1))
		case reflect.Map:
			value.Set(reflect.MakeMap(value.Type()))
		default:
			value.SetInt(1)
		}
		if keys := after.Settings().Changed(before.Settings()); len(keys) != 1 {
			t.Errorf("%s: got keys %q, want one in Settings", field.Name, keys)
		}
	}
}
