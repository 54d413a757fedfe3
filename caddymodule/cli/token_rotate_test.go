package cli

import (
	"reflect"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
)

// A rotated token may do what the old one may: every field is copied but those that are a
// token's own. A field that is added and forgotten would give the new token more, or less.
func TestRotationCopiesEveryField(t *testing.T) {
	own := map[string]bool{"Created": true, "NotBefore": true, "Expires": true, "Revoked": true}
	models, err := authmin.ParseModels("tiny,team-*")
	if err != nil {
		t.Fatal(err)
	}
	old := authmin.NewToken("ci", authmin.RandomSecret(), authmin.ScopeInfer)
	old.Models, old.Budgets = models, []authmin.Budget{{Amount: 1, Unit: authmin.BudgetTokens, Period: authmin.BudgetDay}}
	tokens, err := rotated([]authmin.Token{old}, authmin.NewToken("ci", authmin.RandomSecret()), time.Now(), 1)
	if err != nil {
		t.Fatal(err)
	}
	was, is := reflect.ValueOf(old), reflect.ValueOf(tokens[1])
	for field := range was.Type().Fields() {
		if !field.IsExported() || own[field.Name] {
			continue
		}
		if was.FieldByIndex(field.Index).IsZero() {
			t.Errorf("%s has no value in this test", field.Name)
		}
		if !reflect.DeepEqual(was.FieldByIndex(field.Index).Interface(), is.FieldByIndex(field.Index).Interface()) {
			t.Errorf("%s is not copied", field.Name)
		}
	}
}
