package modelref

import (
	"context"
	"io"
)

const (
	// MaxBytes is twice the largest open model's single file; what is larger is
	// not read to its end.
	MaxBytes = 2 << 40
	// MaxSource bounds a source_url, in bytes: longer than any link to a model that
	// we have seen.
	MaxSource = 2048
)

// UntilDone is a reader that stops with the context's cause when that ends.
func UntilDone(ctx context.Context, r io.Reader) io.Reader { return untilDone{ctx, r} }

type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u untilDone) Read(b []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, context.Cause(u.ctx)
	}
	return u.r.Read(b)
}
