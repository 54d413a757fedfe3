package poolmanager

import (
	"fmt"

	"github.com/llorch/gateway/poolmanager/modelref"
	"github.com/llorch/gateway/poolmanager/staging"
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
		m.path, err = staging.FilePath(root, parsed.Name)
	}
	if err != nil {
		return model{}, err
	}
	return m, nil
}

// checkModelRefSpelling is for references that are only shown and compared.
func checkModelRefSpelling(ref string) error {
	_, name := modelref.Split(ref)
	if len(ref) > modelref.MaxLength || !modelref.ValidName(name) {
		return fmt.Errorf("%w: want NAME, file:NAME or catalog:ID", ErrModelRef)
	}
	return nil
}
