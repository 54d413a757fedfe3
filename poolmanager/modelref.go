package poolmanager

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

// ErrModelRef says that a model reference is not one that this template takes.
var ErrModelRef = errors.New("model reference")

// modelName is what an engine that finds its models itself may be asked for:
// "llama3.2:1b", "org/model-7B", never a flag, a path up or a shell word.
// Every part between / and : begins with a letter or digit.
var modelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]*([/:][A-Za-z0-9][A-Za-z0-9._@+-]*){0,6}$`)

// maxModelRef bounds a reference, in bytes, as the API does.
const maxModelRef = 256

// model is a reference that was checked: what to call it, and the file behind
// it if there is one. That of catalog:ID has no path until it was staged.
type model struct {
	ref  string
	name string
	path string
}

// resolveModel checks ref for a template: a template that takes files wants
// file:NAME under root, or catalog:ID; others want a name.
func resolveModel(root string, takesFile bool, ref string) (model, error) {
	if len(ref) > maxModelRef {
		return model{}, fmt.Errorf("%w: longer than %d bytes", ErrModelRef, maxModelRef)
	}
	name, isFile := strings.CutPrefix(ref, "file:")
	isCatalog := strings.HasPrefix(ref, "catalog:")
	if isCatalog && takesFile {
		id, err := catalogID(ref)
		return model{ref: ref, name: id}, err
	}
	if isFile != takesFile || isCatalog {
		want := "a model name"
		if takesFile {
			want = "file:NAME, a file under the model root, or catalog:ID"
		}
		return model{}, fmt.Errorf("%w: this template takes %s", ErrModelRef, want)
	}
	if !modelName.MatchString(name) || strings.Contains(name, "..") {
		return model{}, fmt.Errorf("%w: up to seven parts with / or : between them, each of letters, digits and . _ @ + - and beginning with a letter or digit", ErrModelRef)
	}
	if !isFile {
		return model{ref: ref, name: name}, nil
	}
	path, err := modelFile(root, name)
	if err != nil {
		return model{}, err
	}
	return model{ref: ref, name: name, path: path}, nil
}

// modelFile looks the file up through os.Root, which no symbolic link leaves.
func modelFile(root, name string) (string, error) {
	if root == "" {
		return "", fmt.Errorf("%w: no model root is configured (POOL_MANAGERD_MODEL_ROOT)", ErrModelRef)
	}
	within, err := os.OpenRoot(root)
	if err != nil {
		return "", fmt.Errorf("opening the model root: %w", err)
	}
	defer within.Close()
	info, err := within.Stat(name)
	if err != nil {
		return "", fmt.Errorf("%w: no such file under the model root", ErrModelRef)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%w: not a regular file", ErrModelRef)
	}
	absolute, err := filepath.Abs(root)
	if err != nil {
		return "", fmt.Errorf("finding the model root: %w", err)
	}
	return filepath.Join(absolute, filepath.FromSlash(name)), nil
}

// checkModelRefSpelling is for references that are only shown and compared.
func checkModelRefSpelling(ref string) error {
	name := strings.TrimPrefix(strings.TrimPrefix(ref, "catalog:"), "file:")
	if len(ref) > maxModelRef || !modelName.MatchString(name) || strings.Contains(name, "..") {
		return fmt.Errorf("%w: want NAME, file:NAME or catalog:ID", ErrModelRef)
	}
	return nil
}
