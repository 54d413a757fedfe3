package staging

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/llorch/gateway/poolmanager/modelref"
)

// errSource says that a source does not give the model, and a retry would not help.
var errSource = errors.New("the model's source")

// errStartAgain says that the partial file is of another version of the source.
var errStartAgain = errors.New("the source has changed")

// source is where a model's bytes are. open asks for the bytes from an offset on: it
// gives that offset, or 0 when the source starts again, and the version's validator.
type source interface {
	open(ctx context.Context, at int64, known validator) (body io.ReadCloser, from int64, v validator, err error)
}

// source gives the reader of a source_url, or refuses one that the operator did not
// allow.
func (s *Stager) source(text string) (source, error) {
	parsed, err := modelref.ParseSource(text)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%w: %w", errSource, err)
	case parsed.File != "":
		return fileSource{s.Root, parsed.File}, nil
	case !s.Hosts.Allow(parsed.URL):
		return nil, fmt.Errorf("%w: its host %q is not among the allowed ones (POOL_MANAGERD_MODEL_HOSTS)", errSource, parsed.URL.Host)
	}
	return &webSource{url: text, http: s.sourceClient()}, nil
}
