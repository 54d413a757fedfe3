package authmin

import (
	"slices"
	"strings"
	"testing"
)

func routesOf(t *testing.T, free []string, routes ...ModelRoute) *ModelRoutes {
	t.Helper()
	m, err := NewModelRoutes(routes, freeOf(free))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func freeOf(paths []string) []ModelFree {
	if paths == nil {
		return nil
	}
	return []ModelFree{{Paths: paths}}
}

// A request of a method that neither option names may name a model anywhere.
func TestModelRoutesOfMethods(t *testing.T) {
	m, err := NewModelRoutes([]ModelRoute{
		{ModelInBody, "model_ref", []string{"/v2/tasks"}, []string{"POST"}},
		{ModelInPath, "", []string{"/m/*"}, []string{"GET", "HEAD"}},
	}, []ModelFree{{[]string{"/v2/tasks"}, []string{"GET"}}, {[]string{"/m/x"}, []string{"POST"}}, {[]string{"/health"}, nil}})
	if err != nil {
		t.Fatal(err)
	}
	for request, want := range map[string]string{
		"POST /v2/tasks": "in", "GET /v2/tasks": "free", "PUT /v2/tasks": "", "HEAD /v2/tasks": "", "get /v2/tasks": "",
		"GET /V2/tasks": "", "POST /V2/tasks": "", "GET /v2/tasks/": "", "GET /m/a": "in", "POST /m/a": "", "POST /m/x": "free",
		"DELETE /health": "free", "GET /M/x": "", "POST /M/x": "",
	} {
		method, path, _ := strings.Cut(request, " ")
		got := ""
		if routes, free := m.Find(method, path); len(routes) > 0 {
			got = "in"
		} else if free {
			got = "free"
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", request, got, want)
		}
	}
}

func TestModelRoutesFind(t *testing.T) {
	m := routesOf(t, []string{"/health", "/v1/*", "/V1/named"},
		ModelRoute{ModelInBody, "model", []string{"/v1/chat/completions", "/api/copy"}, nil},
		ModelRoute{ModelInBody, "source", []string{"/api/copy"}, nil},
		ModelRoute{ModelInPath, "", []string{"/v1/models/*"}, nil},
	)
	for path, want := range map[string]string{
		"/health":                "free",
		"/v1/files":              "free",
		"/v1/chat/completions":   "body:model",
		"/api/copy":              "body:model body:source",
		"/v1/models/a":           "path:",
		"/v1/models/a/b":         "path:",
		"/v1/models":             "", // another spelling of /v1/models/
		"/v1/chat/completions/":  "",
		"/v1/Chat/completions":   "",
		"/v1/chat／completions":   "",
		"/v1/chat%2Fcompletions": "",
		"/v1/models%2Fa":         "",
		"/v1/models/a%2Fb":       "path:",
		"/V1/named":              "free",
		"/other":                 "",
		"/":                      "",
	} {
		routes, free := m.Find("POST", path)
		var got []string
		for _, r := range routes {
			got = append(got, string(r.Place)+":"+r.Member)
		}
		if free {
			got = append(got, "free")
		}
		if text := strings.Join(got, " "); text != want {
			t.Errorf("%s: got %q, want %q", path, text, want)
		}
	}
	if routes, free := new(ModelRoutes).Find("GET", "/health"); routes != nil || free {
		t.Error("the zero value knows a route")
	}
}

// A pattern that matches all below / would make every path a variant of a route.
func TestModelRoutesNameAPathExactly(t *testing.T) {
	m := routesOf(t, []string{"/v1/models"}, ModelRoute{ModelInPath, "", []string{"/v1/models/*"}, nil})
	if _, free := m.Find("GET", "/v1/models"); !free {
		t.Error("a path that model_free names byte for byte is not free")
	}
}

func TestModelOfPath(t *testing.T) {
	r := ModelRoute{ModelInPath, "", []string{"/m/*", "/m/by-id/*"}, nil}
	for path, want := range map[string]string{"/m/a": "a", "/m/a/b": "a/b", "/m/by-id/x": "x", "/m/a%2Fb": "a/b", "/other": ""} {
		if got := r.ModelOf(path); got != want {
			t.Errorf("%s: got %q, want %q", path, got, want)
		}
	}
}

func TestNewModelRoutesRefuses(t *testing.T) {
	paths := []string{"/v1/x"}
	for name, c := range map[string]struct {
		route ModelRoute
		free  []string
		want  string
	}{
		"no place":              {ModelRoute{"", "model", paths, nil}, nil, "is not a place"},
		"another place":         {ModelRoute{"header", "model", paths, nil}, nil, "is not a place"},
		"no path":               {ModelRoute{ModelInBody, "model", nil, nil}, nil, "no path"},
		"an invalid path":       {ModelRoute{ModelInBody, "model", []string{"x"}, nil}, nil, "does not begin with a slash"},
		"no member":             {ModelRoute{ModelInBody, "", paths, nil}, nil, "is not a member"},
		"an invalid member":     {ModelRoute{ModelInBody, "mo del", paths, nil}, nil, "is not a member"},
		"an empty inner member": {ModelRoute{ModelInBody, "a..b", paths, nil}, nil, "is not a member"},
		"a long member":         {ModelRoute{ModelInBody, strings.Repeat("m", 65), paths, nil}, nil, "longer than 64"},
		"a nested form":         {ModelRoute{ModelInForm, "a.b", paths, nil}, nil, "only a body"},
		"a member of a path":    {ModelRoute{ModelInPath, "model", []string{"/v1/*"}, nil}, nil, "takes no member"},
		"a path without *":      {ModelRoute{ModelInPath, "", paths, nil}, nil, "has no *"},
		"a path in both":        {ModelRoute{ModelInBody, "model", paths, nil}, paths, "in model_in and in model_free"},
		"a method in both":      {ModelRoute{ModelInBody, "model", paths, []string{"POST"}}, paths, "in model_in and in model_free"},
		"an invalid method":     {ModelRoute{ModelInBody, "model", paths, []string{"post"}}, nil, "is not a method"},
		"an invalid free path":  {ModelRoute{ModelInBody, "model", paths, nil}, []string{"/a/../b"}, "model_free"},
		"too many paths":        {ModelRoute{ModelInBody, "model", slices.Repeat(paths, MaxPaths+1), nil}, nil, "257 paths"},
	} {
		if _, err := NewModelRoutes([]ModelRoute{c.route}, freeOf(c.free)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %s", name, err, c.want)
		}
	}
}

func TestModelRouteIsWrittenAsInACaddyfile(t *testing.T) {
	for want, r := range map[string]ModelRoute{
		"model_in body /v1/chat/completions":  {ModelInBody, "model", []string{"/v1/chat/completions"}, nil},
		"model_in body:name /api/show /api/x": {ModelInBody, "name", []string{"/api/show", "/api/x"}, nil},
		"model_in body POST,PUT /v2/tasks":    {ModelInBody, "model", []string{"/v2/tasks"}, []string{"POST", "PUT"}},
		"model_in path /v1/models/*":          {ModelInPath, "", []string{"/v1/models/*"}, nil},
	} {
		if got := r.String(); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

// No body is both JSON and a form.
func TestABodyIsJSONOrAForm(t *testing.T) {
	for name, c := range map[string]struct {
		body, form      string
		methods, others []string
		refused         bool
	}{
		"one path":             {"/a", "/a", nil, nil, true},
		"one pattern":          {"/a/*", "/a/*", nil, nil, true},
		"a form in a pattern":  {"/a/*", "/a/b", nil, nil, true},
		"a body in a pattern":  {"/a/b", "/a/*", nil, nil, true},
		"a pattern in another": {"/a/*", "/a/b/*", nil, nil, true},
		"of one method":        {"/a", "/a", []string{"POST", "PUT"}, []string{"POST"}, true},
		"of every and one":     {"/a", "/a", nil, []string{"POST"}, true},
		"of different methods": {"/a", "/a", []string{"PUT"}, []string{"POST"}, false},
		"different paths":      {"/a/b", "/a/c", nil, nil, false},
		"beside a pattern":     {"/a/*", "/ab", nil, nil, false},
		"different patterns":   {"/a/b/*", "/a/c/*", nil, nil, false},
	} {
		_, err := NewModelRoutes([]ModelRoute{
			{ModelInBody, "model", []string{c.body}, c.methods}, {ModelInForm, "model", []string{c.form}, c.others},
		}, nil)
		if (err != nil) != c.refused || err != nil && !strings.Contains(err.Error(), c.form) {
			t.Errorf("%s: got %v, want refused: %v", name, err, c.refused)
		}
	}
}
