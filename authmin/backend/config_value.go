package backend

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// Value is the variable that a setting sets. Decode and Set take any value of the
// right type; Check, which comes after the last of them, refuses those that are not
// allowed.
type Value interface {
	// Decode takes the value from a file.
	Decode(node *yaml.Node) error
	// Set takes it from a text: an environment variable, or a default.
	Set(text string) error
	// Check says what is wrong with the value, and what is allowed.
	Check() error
	// Want says which values are allowed, as in "1 to 100"; "": Check says more.
	Want() string
	// Get is the value, to be compared.
	Get() any
}

// value is a Value of a type that YAML knows.
type value[T any] struct {
	to    *T
	parse func(text string) (T, error)
	check func(T) error // nil: any value
	want  string
	keeps bool // see Override
}

// Override is a value that zero in a file, as in slots: 0, leaves as it is: what an
// object has from the one that it is based on.
func Override(v Value) Value {
	v.(interface{ keep() }).keep()
	return v
}

func (v *value[T]) keep() { v.keeps = true }

func (v *value[T]) Decode(node *yaml.Node) error {
	var read T
	if err := node.Decode(&read); err != nil {
		return err
	}
	if !v.keeps || !reflect.ValueOf(&read).Elem().IsZero() {
		*v.to = read
	}
	return nil
}

func (v *value[T]) Set(text string) (err error) {
	read, err := v.parse(text)
	if err != nil {
		return err
	}
	*v.to = read
	return nil
}

func (v *value[T]) Check() error {
	if v.check == nil {
		return nil
	}
	return v.check(*v.to)
}

func (v *value[T]) Want() string { return v.want }
func (v *value[T]) Get() any     { return *v.to }

// Text is a text. check refuses those that are not allowed; nil: none is.
func Text[S ~string](to *S, check func(S) error) Value {
	return &value[S]{to: to, check: check, parse: func(text string) (S, error) { return S(text), nil }}
}

// Choice is one of several texts.
func Choice[S ~string](to *S, choices ...S) Value {
	var want string
	for i, choice := range choices {
		switch {
		case i > 0 && i == len(choices)-1:
			want += " or "
		case i > 0:
			want += ", "
		}
		want += string(choice)
	}
	v := Text(to, func(text S) error {
		if !slices.Contains(choices, text) {
			return fmt.Errorf("invalid value %.64q: want %s", string(text), want)
		}
		return nil
	}).(*value[S])
	v.want = want
	return v
}

// Number is a whole number from least to most, both included; math.MaxInt64 as most
// is no bound.
func Number[N ~int | ~int64](to *N, least, most N) Value {
	want := fmt.Sprintf("%d to %d", least, most)
	if int64(most) == math.MaxInt64 {
		want = fmt.Sprintf("%d or more", least)
	}
	return &value[N]{to: to, want: want, parse: parseNumber[N], check: func(n N) error {
		if n < least || n > most {
			return fmt.Errorf("invalid value %d: want %s", n, want)
		}
		return nil
	}}
}

// notZero is a value whose default zero does not ask for.
type notZero struct {
	Value
	standard any
}

// NotZero is a value of which an operator could take zero for the default, as it is in a
// pool manager's templates: the error for a zero names the default, and how to get it.
func NotZero(v Value, standard any) Value { return notZero{v, standard} }

// Check implements Value.
func (v notZero) Check() error {
	err := v.Value.Check()
	if err != nil && reflect.ValueOf(v.Get()).IsZero() {
		return fmt.Errorf("%w; 0 is not the default here: leave the setting out for %v", err, v.standard)
	}
	return err
}

// AnyNumber is a whole number whose range is checked elsewhere.
func AnyNumber[N ~int | ~int64](to *N) Value { return &value[N]{to: to, parse: parseNumber[N]} }

func parseNumber[N ~int | ~int64](text string) (N, error) {
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || int64(N(n)) != n {
		return 0, fmt.Errorf("%.64q is not a number", text)
	}
	return N(n), nil
}

// Switch is true or false.
func Switch(to *bool) Value {
	return &value[bool]{to: to, want: "true or false", parse: strconv.ParseBool}
}

// Duration is a time in Go's notation: 30s, 10m.
func Duration(to *time.Duration) Value {
	return &value[time.Duration]{to: to, parse: time.ParseDuration}
}

// TextMap is a text for each of several names. It cannot be a variable.
func TextMap(to *map[string]string) Value {
	return &value[map[string]string]{to: to, parse: func(string) (map[string]string, error) {
		return nil, errors.New("can be set in a file only")
	}}
}

// TextLists is a list of texts for each of several names; in a variable it is
// name=text,text;name=text.
func TextLists[M ~map[string][]string](to *M, check func(M) error) Value {
	return &value[M]{to: to, check: check, parse: func(text string) (M, error) { return parseLists(text), nil }}
}

// parseLists reads name=text,text;name=text. What has no = is a name with an empty
// text, which check refuses.
func parseLists(text string) map[string][]string {
	all := map[string][]string{}
	for part := range strings.SplitSeq(text, ";") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, texts, _ := strings.Cut(part, "=")
		name = strings.TrimSpace(name)
		for text := range strings.SplitSeq(texts, ",") {
			all[name] = append(all[name], strings.TrimSpace(text))
		}
	}
	return all
}
