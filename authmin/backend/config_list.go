package backend

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// list is a Value of texts that are parsed one by one, when the last source was read.
type list[T any] struct {
	to    *[]T
	parse func(text string) (T, error)
	texts []string
	read  bool
}

// List is a list of texts, each of which parse reads. A variable separates them by
// commas, with or without blanks.
func List[T any](to *[]T, parse func(text string) (T, error)) Value {
	return &list[T]{to: to, parse: parse}
}

// Texts is a list of texts. check refuses those that are not allowed; nil: none is.
func Texts(to *[]string, check func(text string) error) Value {
	return &value[[]string]{
		to: to,
		parse: func(text string) ([]string, error) {
			texts := strings.Split(text, ",")
			for i := range texts {
				texts[i] = strings.TrimSpace(texts[i])
			}
			return texts, nil
		},
		check: func(texts []string) error {
			for i, text := range texts {
				if check == nil {
					break
				}
				if err := check(text); err != nil {
					return &KeyError{Item: i + 1, Err: err}
				}
			}
			return nil
		},
	}
}

func (l *list[T]) Decode(node *yaml.Node) error {
	l.read = true
	return node.Decode(&l.texts)
}

func (l *list[T]) Set(text string) error {
	l.texts, l.read = strings.Split(text, ","), true
	return nil
}

func (l *list[T]) Check() error {
	if !l.read {
		return nil
	}
	var items []T
	for i, text := range l.texts {
		item, err := l.parse(strings.TrimSpace(text))
		if err != nil {
			return &KeyError{Item: i + 1, Err: fmt.Errorf("number %d: %w", i+1, err)}
		}
		items = append(items, item)
	}
	*l.to = items
	return nil
}

func (l *list[T]) Want() string { return "" }
func (l *list[T]) Get() any     { return *l.to }

// milliseconds is a Value that is a number where it is set and a duration where it
// is used.
type milliseconds struct {
	to          *time.Duration
	least, most time.Duration
	number      *int64 // as it was set; nil: it was not
	zero        string // what 0 means; "": itself
}

// Milliseconds is a time in milliseconds, from least to most, both included. Other
// than [Duration] it is a number where it is set, so its key ends in _ms.
func Milliseconds(to *time.Duration, least, most time.Duration) Value {
	return &milliseconds{to: to, least: least, most: most}
}

// Limit is [Milliseconds] of which 0 means that there is no limit.
func Limit(to *time.Duration, most time.Duration) Value {
	return &milliseconds{to: to, most: most, zero: " (none)"}
}

// InMilliseconds is a duration as a [Milliseconds] setting has it.
func InMilliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

func (m *milliseconds) Decode(node *yaml.Node) error {
	var number int64
	if err := node.Decode(&number); err != nil {
		return err
	}
	m.take(number)
	return nil
}

func (m *milliseconds) Set(text string) error {
	number, err := parseNumber[int64](text)
	if err == nil {
		m.take(number)
	}
	return err
}

func (m *milliseconds) take(number int64) {
	m.number = &number
	*m.to = time.Duration(max(min(number, math.MaxInt64/int64(time.Millisecond)), 0)) * time.Millisecond
}

func (m *milliseconds) Check() error {
	if m.number == nil {
		return nil
	}
	number := *m.number
	if number < m.least.Milliseconds() || number > m.most.Milliseconds() {
		return fmt.Errorf("invalid value %d: want %s", number, m.Want())
	}
	return nil
}

func (m *milliseconds) Want() string {
	return fmt.Sprintf("%d%s to %d", m.least.Milliseconds(), m.zero, m.most.Milliseconds())
}

func (m *milliseconds) Get() any { return *m.to }

// objects is a Value that is a list of objects with settings of their own.
type objects[T any] struct {
	key      string
	to       *[]T
	settings func(item *T) Settings
	check    func(item T, before []T) error
}

// Objects is a list of objects. settings are those of one; check, which may be nil,
// refuses one after it was read, given those before it. key is the list's, for errors.
func Objects[T any](key string, to *[]T, settings func(item *T) Settings, check func(item T, before []T) error) Value {
	return &objects[T]{key, to, settings, check}
}

func (o *objects[T]) Decode(node *yaml.Node) error {
	if node = resolve(node); node.Kind != yaml.SequenceNode {
		return errors.New("want a list")
	}
	nodes := node.Content
	items := make([]T, 0, len(nodes))
	for i := range nodes {
		var item T
		if wrong := o.decode(&item, nodes[i], items); len(wrong) > 0 {
			for j := range wrong {
				wrong[j].text = fmt.Sprintf("%s[%d]: %s", o.key, i, wrong[j].text)
			}
			return wrong
		}
		items = append(items, item)
	}
	*o.to = items
	return nil
}

func (o *objects[T]) decode(item *T, node *yaml.Node, before []T) lineErrors {
	settings := o.settings(item)
	if err := settings.SetDefaults(); err != nil {
		return lineErrors{{resolve(node).Line, err.Error()}}
	}
	if wrong := settings.read(node); len(wrong) > 0 {
		return wrong
	}
	err := settings.Check()
	if err == nil && o.check != nil {
		err = o.check(*item, before)
	}
	if err == nil {
		return nil
	}
	line := lineOf(node, err)
	if line == 0 {
		line = resolve(node).Line
	}
	return lineErrors{{line, err.Error()}}
}

func (o *objects[T]) Set(string) error { return errors.New("can be set in a file only") }
func (o *objects[T]) Check() error     { return nil }
func (o *objects[T]) Want() string     { return "" }
func (o *objects[T]) Get() any         { return *o.to }
