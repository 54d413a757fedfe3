package staging

import (
	"context"
	"errors"
	"fmt"
	"io"

	"github.com/llorch/gateway/poolmanager/modelref"
)

// errSource says that a source will not give the model, now or later.
var errSource = errors.New("the model's source")

// errStartAgain says that what is here is not the beginning of what the source
// has now.
var errStartAgain = errors.New("the source has changed")

// source is where a model's bytes are. open begins at a byte: it answers with
// that place, or 0 when the source starts again, and with what tells this version
// from another.
type source interface {
	open(ctx context.Context, at int64, known validator) (body io.ReadCloser, from int64, v validator, err error)
}

// source finds the way to read a source_url; what the operator did not allow is
// refused.
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
