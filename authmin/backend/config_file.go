package backend

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"

	"go.yaml.in/yaml/v3"
)

// maxConfigBytes bounds a configuration file; a hundred templates of engines are
// 50 KiB.
const maxConfigBytes = 1 << 20

// Lookup finds an environment variable, as [os.LookupEnv] does.
type Lookup func(name string) (value string, ok bool)

// Config is a configuration that was read: what each setting came from.
type Config struct {
	settings        Settings
	file            string
	root            *yaml.Node // the file's mapping; nil: there is none
	fromEnvironment map[string]bool
}

// ReadConfig sets the defaults, what the file says, and what the environment says,
// which wins, and then checks each setting. file may be "". An error is one line
// that names the file and the line, or the variable.
func ReadConfig(file string, lookup Lookup, settings Settings) (*Config, error) {
	c := &Config{settings: settings, file: file, fromEnvironment: map[string]bool{}}
	if err := settings.SetDefaults(); err != nil {
		return c, err
	}
	if file != "" {
		if err := c.readFile(); err != nil {
			return c, err
		}
	}
	if err := c.readEnvironment(lookup); err != nil {
		return c, err
	}
	return c, c.Locate(settings.Check())
}

func (c *Config) readFile() error {
	text, err := readText(c.file)
	if err != nil {
		return fmt.Errorf("reading the configuration: %w", err)
	}
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	var document yaml.Node
	if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
		return nil // it is empty
	} else if err != nil {
		return yamlErrors(err).in(c.file)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%s: more than one YAML document; remove what follows ---", c.file)
	}
	c.root = resolve(&document)
	if err := c.settings.read(c.root); err != nil {
		return err.in(c.file)
	}
	return nil
}

// readText reads a regular file that is not too long. A pipe is not waited for.
func readText(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxConfigBytes {
		return nil, fmt.Errorf("%s: not a regular file of at most %d KiB", file, maxConfigBytes>>10)
	}
	return io.ReadAll(io.LimitReader(f, maxConfigBytes))
}

// readEnvironment sets what the environment says. A variable that is empty is a
// mistake: it would leave in force what it was meant to take away.
func (c *Config) readEnvironment(lookup Lookup) error {
	for _, setting := range c.settings {
		if setting.Variable == "" {
			continue
		}
		text, ok := lookup(setting.Variable)
		if !ok {
			continue
		}
		if text == "" {
			return fmt.Errorf("environment: %s is set but empty; give it a value or unset it", setting.Variable)
		}
		c.fromEnvironment[setting.Key] = true
		if err := setting.Value.Set(text); err != nil {
			if want := setting.Want(); want != "" {
				err = fmt.Errorf("%w: want %s", err, want)
			}
			return c.Locate(setting.error(err))
		}
	}
	return nil
}
