package backend

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
)

// Setting is one key of a program's configuration. It is declared here and nowhere
// else: parsing, defaults, checks, error texts and help are made from it.
type Setting struct {
	// Key is its name in the file and in errors.
	Key string
	// Variable is the environment variable that wins over the file; "": it has none.
	Variable string
	// Default is the value of a key that is not set, as a variable would hold it.
	// "": the value that the variable behind Value has.
	Default string
	// DefaultDoc describes a default that has no text of its own, or is another one on
	// each machine.
	DefaultDoc string
	// Section begins a section of the help and of the reference.
	Section string
	// Unit is what a number counts: ms, bytes. "": it has none.
	Unit string
	// Doc says what the setting does, for an operator.
	Doc string
	// Live marks a setting whose change is in use after a reload. All others need a
	// restart.
	Live bool
	// Value is the variable that is set, and the values that it may have.
	Value Value
}

// Settings are the keys of a program, or of an object within its file. They are
// checked in their order.
type Settings []Setting

// Keys are the names of the settings.
func (s Settings) Keys() []string {
	keys := make([]string, len(s))
	for i, setting := range s {
		keys[i] = setting.Key
	}
	return keys
}

// Variables are the environment variables of the settings.
func (s Settings) Variables() []string {
	var names []string
	for _, setting := range s {
		if setting.Variable != "" {
			names = append(names, setting.Variable)
		}
	}
	return names
}

// Check reports the first value that is not allowed, as a [KeyError].
func (s Settings) Check() error {
	for _, setting := range s {
		if err := setting.Value.Check(); err != nil {
			return setting.error(err)
		}
	}
	return nil
}

// SetDefaults sets the settings that have a default.
func (s Settings) SetDefaults() error {
	for _, setting := range s {
		if setting.Default == "" {
			continue
		}
		if err := setting.Value.Set(setting.Default); err != nil {
			return fmt.Errorf("default of %w", setting.error(err))
		}
	}
	return nil
}

// FillDefaults sets the settings that have a default, and zero as their value.
func (s Settings) FillDefaults() error {
	return slices.DeleteFunc(slices.Clone(s), func(setting Setting) bool {
		return !reflect.ValueOf(setting.Value.Get()).IsZero()
	}).SetDefaults()
}

// Changed are the keys that a restart would give another value than they have in
// before, which has the same settings.
func (s Settings) Changed(before Settings) []string {
	var keys []string
	for i, setting := range s {
		if !setting.Live && !reflect.DeepEqual(setting.Value.Get(), before[i].Value.Get()) {
			keys = append(keys, setting.Key)
		}
	}
	return keys
}

func (s Settings) find(key string) (Setting, bool) {
	for _, setting := range s {
		if setting.Key == key {
			return setting, true
		}
	}
	return Setting{}, false
}

// Want says which values are allowed, with their unit; "": the value's check says more.
func (s Setting) Want() string {
	return strings.TrimSpace(s.Value.Want() + " " + s.Unit)
}

// error makes an error of the value one of the key.
func (s Setting) error(err error) error {
	bad, ok := errors.AsType[*KeyError](err)
	if !ok {
		bad = &KeyError{Err: err}
	}
	bad.Key, bad.Variable = s.Key, s.Variable
	return bad
}
