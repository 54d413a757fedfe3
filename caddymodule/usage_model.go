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

// askedModel is the body of a call as its upstream reads it: how long it is, and the model
// that it names. It holds nothing back and refuses nothing; see [Guard.checkModels] for
// what does.
type askedModel struct {
	io.ReadCloser
	members []string
	scanner *jsonbody.Scanner // nil when there is nothing more to find
	bytes   atomic.Int64
	model   atomic.Pointer[string] // the upstream may read the body until the request ends
}

// watchModel finds out which model a call asks for.
func (g *Guard) watchModel(r *http.Request, s *requestState, d *authmin.Decision, c *usageCall) {
	routes, _ := g.models.Find(r.Method, d.Path)
	var members []string
	for _, route := range routes {
		switch route.Place {
		case authmin.ModelInBody:
			members = append(members, route.Member)
		case authmin.ModelInQuery:
			if r.URL != nil {
				c.named = r.URL.Query().Get(route.Member)
			}
		case authmin.ModelInPath:
			c.named = route.ModelOf(d.Path)
		}
	}
	if len(s.live.models) > 0 { // it has been read
		c.named, members = strings.Join(s.live.models, ","), nil
	}
	if r.Body == nil || r.Body == http.NoBody {
		return
	}
	c.asked = &askedModel{ReadCloser: r.Body, members: members}
	if len(members) > 0 {
		c.asked.scanner = jsonbody.New(jsonbody.Options{Watch: members, MaxValue: maxAsked})
	}
	r.Body = c.asked
}

// Read implements [io.Reader].
func (a *askedModel) Read(p []byte) (int, error) {
	n, err := a.ReadCloser.Read(p)
	a.bytes.Add(int64(n))
	if a.scanner != nil && n > 0 {
		a.scan(p[:n])
	}
	return n, err
}

func (a *askedModel) scan(p []byte) {
	_, err := a.scanner.Write(p)
	for _, member := range a.members {
		if m, ok := a.scanner.Member(member); ok {
			if name, ok := m.Text(); ok && name != "" {
				a.model.Store(&name)
				a.scanner = nil
				return
			}
		}
	}
	if err != nil {
		a.scanner = nil
	}
}

// name is the model that was asked for; "" where it is not known.
func (a *askedModel) name() string {
	if a == nil {
		return ""
	}
	if name := a.model.Load(); name != nil {
		return *name
	}
	return ""
}

// tokens estimates the request's.
func (a *askedModel) tokens() int64 {
	if a == nil {
		return 0
	}
	return (a.bytes.Load() + bytesPerToken - 1) / bytesPerToken
}
