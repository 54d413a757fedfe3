package poolmanager

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/llorch/gateway/poolmanager/modelref"
)

// ErrModelRef says that a model reference is not one that this template takes.
var ErrModelRef = modelref.ErrRef

// model is a reference that was checked: what to call it, and the file behind
// it if there is one. That of catalog:ID has no path until it was staged.
type model struct {
	ref  string
	name string
	path string
}

// inCatalog reports whether the model's file has to be staged.
func (m model) inCatalog() bool {
	kind, _ := modelref.Split(m.ref)
	return kind == modelref.Catalog
}

// resolveModel checks ref for a template: a template that takes files wants
// file:NAME under root, or catalog:ID; others want a name.
func resolveModel(root string, takesFile bool, ref string) (model, error) {
	if kind, _ := modelref.Split(ref); len(ref) <= modelref.MaxLength && (kind != modelref.Named) != takesFile {
		want := "a model name"
		if takesFile {
			want = "file:NAME, a file under the model root, or catalog:ID"
		}
		return model{}, fmt.Errorf("%w: this template takes %s", ErrModelRef, want)
	}
	parsed, err := modelref.Parse(ref)
	if err != nil {
		return model{}, err
	}
	m := model{ref: ref, name: parsed.Name}
	if parsed.Kind == modelref.File {
		m.path, err = modelFile(root, parsed.Name)
	}
	if err != nil {
		return model{}, err
	}
	return m, nil
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
	_, name := modelref.Split(ref)
	if len(ref) > modelref.MaxLength || !modelref.ValidName(name) {
		return fmt.Errorf("%w: want NAME, file:NAME or catalog:ID", ErrModelRef)
	}
	return nil
}
