package modelref

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// ErrRef is wrapped by the errors of Parse.
var ErrRef = errors.New("model reference")

// MaxLength bounds a reference, in bytes, as the API does.
const MaxLength = 256

// Kind says where a reference looks for its model.
type Kind int

// The kinds of references.
const (
	Named   Kind = iota // by the name that the engine knows it by
	File                // file:NAME, below the model root
	Catalog             // catalog:ID
)

// The prefixes of the kinds.
const (
	filePrefix    = "file:"
	catalogPrefix = "catalog:"
)

// ModelRef is a reference whose spelling was checked.
type ModelRef struct {
	Kind Kind
	Name string // without the prefix
}

// String is the reference as it is written.
func (r ModelRef) String() string {
	switch r.Kind {
	case File:
		return filePrefix + r.Name
	case Catalog:
		return catalogPrefix + r.Name
	default:
		return r.Name
	}
}

// Split gives the kind of a reference and the name without its prefix. It does no
// checks: see Parse.
func Split(text string) (Kind, string) {
	if name, ok := strings.CutPrefix(text, filePrefix); ok {
		return File, name
	}
	if id, ok := strings.CutPrefix(text, catalogPrefix); ok {
		return Catalog, id
	}
	return Named, text
}

// Parse checks a reference: its name is a ValidName, and that of a catalog entry a
// ValidID as well.
func Parse(text string) (ModelRef, error) {
	kind, name := Split(text)
	switch {
	case len(text) > MaxLength:
		return ModelRef{}, fmt.Errorf("%w: longer than %d bytes", ErrRef, MaxLength)
	case kind == Catalog && !(ValidID(name) && ValidName(name)):
		return ModelRef{}, fmt.Errorf("%w: after catalog: come 1 to 128 of A-Z a-z 0-9 . _ : @ + -, and a letter or digit at the beginning and after a colon", ErrRef)
	case !ValidName(name):
		return ModelRef{}, fmt.Errorf("%w: up to seven parts with / or : between them, each of letters, digits and . _ @ + - and beginning with a letter or digit", ErrRef)
	}
	return ModelRef{Kind: kind, Name: name}, nil
}

// modelName is what an engine that finds its models itself may be asked for:
// "llama3.2:1b", "org/model-7B", never a flag, a path up or a shell word.
// Every part between / and : begins with a letter or digit.
var modelName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._@+-]*([/:][A-Za-z0-9][A-Za-z0-9._@+-]*){0,6}$`)

// ValidName reports whether a model may be called so.
func ValidName(name string) bool {
	return len(name) <= MaxLength && modelName.MatchString(name) && !strings.Contains(name, "..")
}

var (
	catalogID = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}$`)
	digest    = regexp.MustCompile(`^sha256:[0-9a-f]{64}$`)
)

// ValidID reports whether a catalog entry may have this id or alias.
func ValidID(id string) bool { return catalogID.MatchString(id) }

// ValidDigest reports whether a digest is written as the catalog writes it.
func ValidDigest(text string) bool { return digest.MatchString(text) }
