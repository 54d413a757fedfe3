package caddymodule

import (
	"io"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/jsonbody"
)

// maxAsked is how many bytes of the model's name are kept.
const maxAsked = 512

// bytesPerToken estimates the tokens of a text: one is at least about four bytes.
const bytesPerToken = 4

// callBody is the body of a call. While the upstream reads it, it counts the bytes and finds
// the model that the body names. It refuses nothing: see [Guard.checkModels].
type callBody struct {
	io.ReadCloser
	members []string
	scanner *jsonbody.Scanner // nil when there is nothing more to find
	bytes   atomic.Int64
	model   atomic.Pointer[string] // the upstream may read the body until the request ends
}

// watchModel finds out which model a call asks for.
func (g *Guard) watchModel(r *http.Request, s *requestState, d *authmin.Decision, c *usageCall) {
	routes, _ := s.modelRoutes(g, r.Method, d.Path)
	var members []string
	for _, route := range routes {
		switch route.Place {
		case authmin.ModelInBody:
			members = append(members, route.Member)
		case authmin.ModelInQuery:
			if r.URL != nil {
				c.model = r.URL.Query().Get(route.Member)
			}
		case authmin.ModelInPath:
			c.model = route.ModelOf(d.Path)
		}
	}
	switch { // the body has been read
	case len(s.live.models) > 0:
		c.model, members = strings.Join(s.live.models, ","), nil
	case s.cost != nil && s.cost.model != "":
		c.model, members = s.cost.model, nil
	}
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	c.body = &callBody{ReadCloser: r.Body, members: members}
	if len(members) > 0 {
		c.body.scanner = jsonbody.New(jsonbody.Options{Watch: members, MaxValue: maxAsked})
	}
	r.Body = c.body
}

// Read implements [io.Reader].
func (b *callBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.bytes.Add(int64(n))
	if b.scanner != nil && n > 0 {
		b.scan(p[:n])
	}
	return n, err
}

func (b *callBody) scan(p []byte) {
	_, err := b.scanner.Write(p)
	for _, member := range b.members {
		if m, ok := b.scanner.Member(member); ok {
			if name, ok := m.Text(); ok && name != "" {
				b.model.Store(&name)
				b.scanner = nil
				return
			}
		}
	}
	if err != nil {
		b.scanner = nil
	}
}

// name is the model that the body names; "" if the guard has not found it.
func (b *callBody) name() string {
	if b == nil {
		return ""
	}
	if name := b.model.Load(); name != nil {
		return *name
	}
	return ""
}

// tokens estimates the tokens of the prompt by the bytes of the body.
func (b *callBody) tokens() int64 {
	if b == nil {
		return 0
	}
	return (b.bytes.Load() + bytesPerToken - 1) / bytesPerToken
}
