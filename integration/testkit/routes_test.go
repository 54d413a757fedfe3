package testkit

import (
	"strings"
	"testing"
)

func TestRoutesAreListedAndDeclared(t *testing.T) {
	const document = `{"paths":{"/a":{"summary":"s","get":{},"post":{}}}}`
	get, post := Route{"GET", "/a", true}, Route{"POST", "/a", true}
	for name, c := range map[string]struct {
		document string
		listed   []Route
		want     string
	}{
		"all are listed":      {document, []Route{get, post, {"GET", "/metrics", true}}, ""},
		"one is not listed":   {document, []Route{get}, "POST /a is an operation and not listed"},
		"one has no scope":    {document, []Route{get, post, {"GET", "/b", false}}, "GET /b is neither public nor has a scope"},
		"no operations":       {`{"paths":{}}`, []Route{get}, "0 paths"},
		"no OpenAPI document": {`<html>`, []Route{get}, "reading the OpenAPI document"},
	} {
		r := &recorder{TB: t}
		done := make(chan struct{})
		go func() {
			defer close(done)
			CheckRoutes(r, []byte(c.document), c.listed)
		}()
		<-done
		if (r.failure == "") != (c.want == "") || !strings.Contains(r.failure, c.want) {
			t.Errorf("%s: got %q, want %q", name, r.failure, c.want)
		}
	}
}
