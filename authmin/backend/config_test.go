package backend

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"
)

// engine is an object within the file of the tests.
type engine struct {
	Name  string
	Slots int
}

// program is what the settings of the tests set.
type program struct {
	Listen  string
	Size    int64
	Limit   time.Duration
	Pause   time.Duration
	Mode    string
	On      bool
	Hosts   []string
	Lengths []int
	Models  map[string][]string
	Labels  map[string]string
	Engines []engine
}

func (p *program) settings() Settings {
	return Settings{
		{Key: "listen", Variable: "T_LISTEN", Default: "127.0.0.1:1", Value: Text(&p.Listen, func(s string) error {
			if !strings.Contains(s, ":") {
				return fmt.Errorf("invalid address %q", s)
			}
			return nil
		})},
		{Key: "size", Variable: "T_SIZE", Unit: "bytes", Value: Number(&p.Size, 0, math.MaxInt64)},
		{Key: "limit_ms", Variable: "T_LIMIT_MS", Default: InMilliseconds(time.Minute), Unit: "ms", Value: Milliseconds(&p.Limit, time.Millisecond, time.Hour)},
		{Key: "pause", Value: Duration(&p.Pause)},
		{Key: "mode", Variable: "T_MODE", Default: "slow", Value: Choice(&p.Mode, "slow", "fast", "none")},
		{Key: "on", Variable: "T_ON", Value: Switch(&p.On)},
		{Key: "hosts", Variable: "T_HOSTS", Value: Texts(&p.Hosts, func(s string) error {
			if s == "" {
				return errors.New("a host is empty")
			}
			return nil
		})},
		{Key: "lengths", Variable: "T_LENGTHS", Value: List(&p.Lengths, parseNumber[int])},
		{Key: "models", Variable: "T_MODELS", Value: TextLists(&p.Models, nil)},
		{Key: "labels", Value: TextMap(&p.Labels)},
		{Key: "engines", Value: Objects("engines", &p.Engines, func(e *engine) Settings {
			return Settings{
				{Key: "name", Value: Text(&e.Name, nil)},
				{Key: "slots", Default: "4", Value: Number(&e.Slots, 1, 9)},
			}
		}, func(e engine, before []engine) error {
			if slices.Contains(before, e) {
				return KeyErrorf("name", "there is an engine %q above", e.Name)
			}
			return nil
		})},
	}
}

func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func environment(pairs ...string) Lookup {
	return func(name string) (string, bool) {
		for i := 0; i < len(pairs); i += 2 {
			if pairs[i] == name {
				return pairs[i+1], true
			}
		}
		return "", false
	}
}

func TestTheEnvironmentWinsOverTheFileAndTheFileOverTheDefault(t *testing.T) {
	text := `
listen: 127.0.0.1:2
size: 1_000
limit_ms: 90000000
pause: 1m30s
mode:
on: true
hosts: [a, "b"]
lengths: [1, 2]
models: {x: [y, z]}
labels: {l: m}
engines:
- &one {<<: {slots: 3}, name: one}
- name: two
- <<: *one
  name: three
`
	var got program
	env := environment("T_LIMIT_MS", "5", "T_HOSTS", "c, d", "T_MODELS", "x=y, z ;w=;", "T_ON", "false", "T_LENGTHS", "3, 4", "T_SIZE", "7")
	if _, err := ReadConfig(file(t, text), env, got.settings()); err != nil {
		t.Fatal(err)
	}
	want := program{
		Listen: "127.0.0.1:2", Size: 7, Limit: 5 * time.Millisecond, Pause: 90 * time.Second, Mode: "slow",
		Hosts: []string{"c", "d"}, Lengths: []int{3, 4}, Models: map[string][]string{"x": {"y", "z"}, "w": {""}},
		Labels: map[string]string{"l": "m"}, Engines: []engine{{"one", 3}, {"two", 4}, {"three", 3}},
	}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\nwant %+v", got, want)
	}
}

func TestWhatIsWrongIsNamedWithItsPlace(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		env  []string
		want string
	}{
		"an unknown key":          {"listen: a:1\ncolour: red\n", nil, `c.yaml:2: unknown key "colour"; the keys are listen, size, limit_ms`},
		"two of them":             {"a: 1\nb: 2\n", nil, `c.yaml:1: unknown key "a"; the keys are`},
		"and the second":          {"a: 1\nb: 2\n", nil, `; ` + `FILE:2: unknown key "b"`},
		"an unknown key below":    {"engines:\n- name: a\n  colour: red\n", nil, `c.yaml:3: engines[0]: unknown key "colour"; the keys are name, slots`},
		"a key twice":             {"listen: a:1\nlisten: b:1\n", nil, `c.yaml:2: mapping key "listen" already defined at line 1`},
		"no mapping":              {"- listen\n", nil, "c.yaml:1: want keys and values; the keys are listen"},
		"not YAML":                {"listen: a:1\nmode: a: b\n", nil, "c.yaml:2: mapping values are not allowed"},
		"an unknown anchor":       {"listen: *x\n", nil, "c.yaml: unknown anchor 'x' referenced"},
		"two documents":           {"listen: a:1\n---\n", nil, "c.yaml: more than one YAML document; remove what follows ---"},
		"a wrong type":            {"\nsize: many\n", nil, "c.yaml:2: size (T_SIZE): want a whole number, got text \"many\""},
		"a wrong type, overruled": {"size: many\n", []string{"T_SIZE", "1"}, "c.yaml:1: size (T_SIZE): want"},
		"a list for a number":     {"\nsize: [1]\n", nil, "c.yaml:2: size (T_SIZE): want a whole number, got a list"},
		"a wrong type below":      {"engines:\n- name: [a]\n", nil, "c.yaml:2: engines[0]: name: want text, got a list"},
		"out of range":            {"\nlimit_ms: 0\n", nil, "c.yaml:2: limit_ms (T_LIMIT_MS): invalid value 0: want 1 to 3600000"},
		"far out of range":        {"limit_ms: 90000000000000\n", nil, "c.yaml:1: limit_ms (T_LIMIT_MS): invalid value 90000000000000: want"},
		"too small":               {"size: -1\n", nil, "c.yaml:1: size (T_SIZE): invalid value -1: want 0 or more"},
		"out of range below":      {"engines:\n- name: a\n- name: b\n  slots: 10\n", nil, "c.yaml:4: engines[1]: slots: invalid value 10: want 1 to 9"},
		"no list":                 {"engines: {a: b}\n", nil, "c.yaml:1: engines: want a list"},
		"an object twice":         {"engines:\n- name: a\n- slots: 4\n  name: a\n", nil, `c.yaml:4: engines[1]: name: there is an engine "a" above`},
		"no choice":               {"mode: quick\n", nil, `c.yaml:1: mode (T_MODE): invalid value "quick": want slow, fast or none`},
		"an item":                 {"hosts:\n- a\n- ''\n", nil, "c.yaml:3: hosts (T_HOSTS): a host is empty"},
		"an item, parsed":         {"lengths:\n- 1\n- x\n", nil, `c.yaml:3: lengths (T_LENGTHS): number 2: "x" is not a number`},
		"a number in a variable":  {"", []string{"T_SIZE", "4G"}, `environment: size (T_SIZE): "4G" is not a number: want 0 or more bytes`},
		"a range in a variable":   {"limit_ms: 1\n", []string{"T_LIMIT_MS", "0"}, "environment: limit_ms (T_LIMIT_MS): invalid value 0"},
		"an empty variable":       {"", []string{"T_HOSTS", ""}, "environment: T_HOSTS is set but empty; give it a value or unset it"},
		"an address":              {"\nlisten: here\n", nil, `c.yaml:2: listen (T_LISTEN): invalid address "here"`},
	} {
		path := file(t, c.text)
		_, err := ReadConfig(path, environment(c.env...), new(program).settings())
		if want := strings.ReplaceAll(c.want, "FILE", path); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: got %v\nwant one line with %s", name, err, want)
		}
	}
}

func TestAnUnusableConfigurationFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	large := file(t, strings.Repeat("#", maxConfigBytes+1))
	for path, want := range map[string]string{
		dir: "not a regular file of at most 1024 KiB", large: "not a regular file", filepath.Join(dir, "none"): "no such file",
	} {
		if _, err := ReadConfig(path, environment(), new(program).settings()); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), path) {
			t.Errorf("got %v, want %s and the file's name", err, want)
		}
	}
	for _, text := range []string{"", "# nothing\n", "---\n", "~\n"} {
		if _, err := ReadConfig(file(t, text), environment(), new(program).settings()); err != nil {
			t.Errorf("%q: got %v", text, err)
		}
	}
}

func TestChangedNamesWhatARestartTakesUp(t *testing.T) {
	var was, is program
	before, after := was.settings(), is.settings()
	for _, s := range []Settings{before, after} {
		if err := s.SetDefaults(); err != nil {
			t.Fatal(err)
		}
	}
	is.Hosts, is.Mode, is.Engines = []string{"a"}, "fast", []engine{{"a", 1}}
	after[4].Live = true
	if got, want := after.Changed(before), []string{"hosts", "engines"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}

func TestLocateFindsTheKeyTheItemAndTheText(t *testing.T) {
	c, err := ReadConfig(file(t, "listen: a:1\nhosts:\n- a\n- b\nlabels:\n  x: y\n  z: the {w}\n"), environment("T_MODE", "fast"), new(program).settings())
	if err != nil {
		t.Fatal(err)
	}
	for want, err := range map[string]error{
		"c.yaml:1: listen (T_LISTEN): wrong": KeyErrorf("listen", "wrong"),
		"c.yaml:4: hosts (T_HOSTS): wrong":   &KeyError{Key: "hosts", Item: 2, Err: os.ErrInvalid},
		"c.yaml:7: labels: wrong":            &KeyError{Key: "labels", Near: "{w}", Err: os.ErrInvalid},
		"environment: mode (T_MODE): wrong":  KeyErrorf("mode", "wrong"),
		"c.yaml: size (T_SIZE): wrong":       KeyErrorf("size", "wrong"),
		"c.yaml: invalid argument":           os.ErrInvalid,
	} {
		want = strings.Replace(want, "wrong", "", 1)
		if got := c.Locate(err).Error(); !strings.Contains(got, want) {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	if c.Locate(nil) != nil {
		t.Error("no error became one")
	}
}
