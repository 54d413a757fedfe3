package backend

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
)

// lineErrors are what is wrong in a file, each with its line.
type lineErrors []lineError

type lineError struct {
	line int // 0: none is known
	text string
}

// Error is all of them in one line.
func (e lineErrors) Error() string { return e.in("").Error() }

// in names the file before each.
func (e lineErrors) in(file string) error {
	var parts []string
	for _, bad := range e {
		at := file
		if bad.line > 0 {
			at += ":" + strconv.Itoa(bad.line)
		}
		parts = append(parts, at+": "+bad.text)
	}
	return errors.New(strings.Join(parts, "; "))
}

// yamlErrors takes apart an error of package yaml.
func yamlErrors(err error) lineErrors {
	texts := []string{strings.TrimPrefix(err.Error(), "yaml: ")}
	if several, ok := errors.AsType[*yaml.TypeError](err); ok {
		texts = several.Errors
	}
	var all lineErrors
	for _, text := range texts {
		bad := lineError{text: strings.Join(strings.Fields(text), " ")}
		if rest, ok := strings.CutPrefix(text, "line "); ok {
			number, rest, _ := strings.Cut(rest, ": ")
			if line, err := strconv.Atoi(number); err == nil {
				bad = lineError{line, withoutTypes(rest)}
			}
		}
		all = append(all, bad)
	}
	return all
}

// read sets the settings from a mapping. A key that is none of them is an error.
func (s Settings) read(mapping *yaml.Node) lineErrors {
	mapping = resolve(mapping)
	if isNull(mapping) {
		return nil
	}
	if mapping.Kind != yaml.MappingNode {
		return lineErrors{{mapping.Line, "want keys and values; the keys are " + strings.Join(s.Keys(), ", ")}}
	}
	values := map[string]yaml.Node{} // by key, with those of merged mappings
	if err := mapping.Decode(&values); err != nil {
		return yamlErrors(err)
	}
	var wrong lineErrors
	for name, value := range values {
		if _, ok := s.find(name); !ok {
			text := fmt.Sprintf("unknown key %.64q; the keys are %s", name, strings.Join(s.Keys(), ", "))
			wrong = append(wrong, lineError{keyLine(mapping, name, value.Line), text})
		}
	}
	for _, setting := range s {
		value, ok := values[setting.Key]
		if !ok || isNull(&value) {
			continue
		}
		wrong = append(wrong, setting.decode(mapping, &value)...)
	}
	slices.SortStableFunc(wrong, func(a, b lineError) int { return a.line - b.line })
	return wrong
}

// decode sets one setting. What is wrong within it may have lines of its own.
func (s Setting) decode(mapping, value *yaml.Node) lineErrors {
	err := s.Value.Decode(value)
	if err == nil {
		return nil
	}
	if inner, ok := errors.AsType[lineErrors](err); ok {
		return inner
	}
	var wrong lineErrors
	for _, bad := range yamlErrors(err) {
		if bad.line == 0 {
			bad.line = keyLine(mapping, s.Key, value.Line)
		}
		wrong = append(wrong, lineError{bad.line, s.error(errors.New(bad.text)).Error()})
	}
	return wrong
}

// child finds a key of a mapping, and its value.
func child(mapping *yaml.Node, name string) (key, value *yaml.Node) {
	if mapping = resolve(mapping); mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	return nil, nil
}

// keyLine is the line of a key; other is that of a key from a merged mapping.
func keyLine(mapping *yaml.Node, name string, other int) int {
	if key, _ := child(mapping, name); key != nil {
		return key.Line
	}
	return other
}

// resolve follows an alias, and a document to what it holds.
func resolve(node *yaml.Node) *yaml.Node {
	switch {
	case node == nil:
		return nil
	case node.Kind == yaml.AliasNode:
		return node.Alias
	case node.Kind == yaml.DocumentNode:
		return node.Content[0]
	}
	return node
}

func isNull(node *yaml.Node) bool {
	node = resolve(node)
	return node == nil || node.ShortTag() == "!!null"
}

// scalarWith finds the first scalar that holds a text.
func scalarWith(node *yaml.Node, text string) *yaml.Node {
	if node == nil {
		return nil
	}
	if node.Kind == yaml.ScalarNode && strings.Contains(node.Value, text) {
		return node
	}
	for _, inner := range node.Content {
		if found := scalarWith(inner, text); found != nil {
			return found
		}
	}
	return nil
}
