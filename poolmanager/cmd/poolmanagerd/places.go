package main

import (
	"fmt"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// places knows on which line of the configuration each thing stands, for errors
// that are found after it was parsed.
type places struct {
	path string
	root *yaml.Node // the mapping; nil without a file
	// settings that the environment has the last word in, by their key
	keyFiles []string // url_key_file of each template, in order
	fromEnv  map[string]string
}

var (
	namedPlaceholder = regexp.MustCompile(`\{[A-Za-z0-9_. -]*\}`)
	// The text of an error begins with the key that it is about, after what says
	// in which template.
	leadingKey     = regexp.MustCompile(`^([a-z_]+)(?:[: ]|$)`)
	whichTemplate  = regexp.MustCompile(`^(templates\[\d+\]: )?(template "[^"]*": )?`)
	preloadProblem = regexp.MustCompile(`^preload ([a-z0-9_.-]+): `)
)

// locate puts the file and the line before an error that is about one of the
// file's settings, or the variable that set it instead.
func (p *places) locate(err error) error {
	if err == nil {
		return nil
	}
	if match := preloadProblem.FindStringSubmatch(err.Error()); match != nil {
		_, items := child(p.root, "preload")
		for i := 0; items != nil && i < len(items.Content); i++ {
			if _, id := child(items.Content[i], "pool_id"); id != nil && id.Value == match[1] {
				return fmt.Errorf("%s:%d: %w", p.path, items.Content[i].Line, err)
			}
		}
	}
	match := leadingKey.FindStringSubmatch(err.Error())
	if match == nil {
		return p.in(p.root, err)
	}
	if variable, ok := p.fromEnv[match[1]]; ok {
		return fmt.Errorf("%s: %w", variable, err)
	}
	return p.in(p.root, err)
}

// element is an item of a list at the top of the file.
func (p *places) element(list string, i int) *yaml.Node {
	if _, items := child(p.root, list); items != nil && i < len(items.Content) {
		return items.Content[i]
	}
	return p.root
}

// in finds the line within a part of the file: that of a placeholder or a quoted
// text which the error names, else of the key that it begins with, else where
// the part begins.
func (p *places) in(part *yaml.Node, err error) error {
	if part == nil {
		if p.path == "" {
			return err
		}
		return fmt.Errorf("%s: %w", p.path, err)
	}
	line := part.Line
	text := whichTemplate.ReplaceAllString(err.Error(), "")
	if match := leadingKey.FindStringSubmatch(text); match != nil {
		if key, value := child(part, match[1]); key != nil {
			line = key.Line
			part = value
		}
	}
	if name := namedPlaceholder.FindString(text); name != "" {
		if found := scalarWith(part, name); found != nil {
			line = found.Line
		}
	}
	return fmt.Errorf("%s:%d: %w", p.path, line, err)
}

func child(mapping *yaml.Node, name string) (key, value *yaml.Node) {
	if mapping == nil || mapping.Kind != yaml.MappingNode {
		return nil, nil
	}
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == name {
			return mapping.Content[i], mapping.Content[i+1]
		}
	}
	return nil, nil
}

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
