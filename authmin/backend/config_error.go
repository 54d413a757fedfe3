package backend

import (
	"errors"
	"fmt"

	"go.yaml.in/yaml/v3"
)

// KeyError is a key of a configuration with a value that is not allowed.
type KeyError struct {
	Key      string
	Variable string // of the key; "": none, or not known yet
	// Item is the number of the list's item that is wrong, from 1; 0: the whole value.
	Item int
	// Field is the key within that item that is wrong; "": all of it.
	Field string
	// Near is a text within the value, on whose line the mistake is; "": anywhere.
	Near string
	Err  error
}

// KeyErrorf makes a KeyError of a text.
func KeyErrorf(key, format string, args ...any) *KeyError {
	return &KeyError{Key: key, Err: fmt.Errorf(format, args...)}
}

// Error names the key, its variable, and what is wrong.
func (e *KeyError) Error() string {
	name := e.Key
	if e.Variable != "" {
		name += " (" + e.Variable + ")"
	}
	return name + ": " + e.Err.Error()
}

// Unwrap gives the cause.
func (e *KeyError) Unwrap() error { return e.Err }

// Locate puts before an error where the value came from: the file and the line of
// its key, or the environment. Any other error than a [KeyError] gets the file's name.
func (c *Config) Locate(err error) error {
	if err == nil {
		return nil
	}
	bad, ok := errors.AsType[*KeyError](err)
	if !ok {
		return c.inFile(0, err)
	}
	if setting, ok := c.settings.find(bad.Key); ok && bad.Variable == "" {
		bad.Variable = setting.Variable
	}
	if c.fromEnvironment[bad.Key] {
		return fmt.Errorf("environment: %w", err)
	}
	return c.inFile(lineOf(c.root, err), err)
}

// inFile puts the file's name before an error, and the line where there is one.
func (c *Config) inFile(line int, err error) error {
	switch {
	case c.file == "":
		return err
	case line == 0:
		return fmt.Errorf("%s: %w", c.file, err)
	}
	return fmt.Errorf("%s:%d: %w", c.file, line, err)
}

// lineOf is the line within a mapping that an error is about; 0: none is known.
func lineOf(mapping *yaml.Node, err error) int {
	bad, ok := errors.AsType[*KeyError](err)
	if !ok {
		return 0
	}
	line, part := 0, resolve(mapping)
	if key, value := child(mapping, bad.Key); key != nil {
		line, part = key.Line, resolve(value)
	}
	if bad.Item > 0 && part != nil && part.Kind == yaml.SequenceNode && bad.Item <= len(part.Content) {
		item := part.Content[bad.Item-1]
		line = keyLine(item, bad.Field, item.Line)
	}
	if bad.Near != "" {
		if found := scalarWith(part, bad.Near); found != nil {
			line = found.Line
		}
	}
	return line
}
