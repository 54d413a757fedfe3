package presets_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin"
)

// A routeList is the recorded routes of one version of a server.
type routeList struct {
	Server  string   `json:"server"`
	Version string   `json:"version"`
	Sources []string `json:"sources"`
	// Prefixes are the only patterns by which the preset may open what lies below
	// a path, routes of a later version among it.
	Prefixes []string `json:"prefixes"`
	// Coarse are what a prefix opens besides, because a rule's * stands at its
	// end only; the server has no such route.
	Coarse []route `json:"coarse"`
	Routes []route `json:"routes"`
}

type route struct {
	Method string `json:"method"`
	Path   string `json:"path"` // {name} is one segment, {name...} the rest
	Class  class  `json:"class"`
}

var parameter = regexp.MustCompile(`\{[a-z]+(\.\.\.)?\}`)

// example is the route's path with its parameters filled in.
func (r route) example() string {
	return parameter.ReplaceAllStringFunc(r.Path, func(p string) string {
		if strings.HasSuffix(p, "...}") {
			return "x/y"
		}
		return "x"
	})
}

func recorded(t *testing.T, name string) routeList {
	t.Helper()
	var list routeList
	decoder := json.NewDecoder(bytes.NewReader([]byte(read(t, filepath.Join("testdata", "routes", name+".json")))))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&list); err != nil {
		t.Fatal(err)
	}
	if err := list.check(); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return list
}

func (l routeList) check() error {
	const least = 20 // every one of these servers has more; fewer is a cut file
	if l.Server == "" || l.Version == "" || len(l.Sources) == 0 || len(l.Routes) < least {
		return errors.New("want a server, a version, sources, and routes")
	}
	seen := map[string]bool{}
	for _, r := range l.Routes {
		if seen[r.Method+" "+r.Path] {
			return fmt.Errorf("%s %s stands twice", r.Method, r.Path)
		}
		seen[r.Method+" "+r.Path] = true
		if !slices.Contains([]class{public, denied, "infer", "metrics", "admin"}, r.Class) {
			return fmt.Errorf("%s %s: class %q", r.Method, r.Path, r.Class)
		}
	}
	return nil
}

// TestPresetsAgainstRecordedRoutes: every recorded route has exactly its class,
// and nothing else is open: no other method, no route that is new.
func TestPresetsAgainstRecordedRoutes(t *testing.T) {
	for _, name := range []string{"ollama", "vllm", "sglang", "llamacpp", "prometheus"} {
		t.Run(name, func(t *testing.T) {
			list := recorded(t, name)
			for _, wrong := range list.judge(t, rulesOf(t, site(t, name, "authmin-"+name, ""))) {
				t.Error(wrong)
			}
		})
	}
}

// methods are the ones that are tried on every path.
var methods = []string{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}

// judge tells what is wrong with a policy for these routes.
func (l routeList) judge(t *testing.T, rules []authmin.Rule) []string {
	t.Helper()
	j, err := newJudge(rules)
	if err != nil {
		t.Fatal(err)
	}
	var wrong []string
	known := map[string]class{}
	for _, r := range slices.Concat(l.Routes, l.Coarse) {
		known[r.Method+" "+r.Path] = r.Class
		wrong = append(wrong, j.classify(r.Method, r.example(), r.Class)...)
	}
	for _, r := range l.Routes {
		for _, method := range methods {
			if _, ok := known[method+" "+r.Path]; !ok {
				wrong = append(wrong, j.unrecorded(method, r.example(), known["GET "+r.Path])...)
			}
		}
	}
	for _, path := range l.unknown() {
		for _, method := range methods {
			wrong = append(wrong, j.classify(method, path, denied)...)
		}
	}
	return append(wrong, l.comparePrefixes(rules)...)
}

// unrecorded holds a method that a route has not to being denied. HEAD may go
// where GET goes.
func (j *judge) unrecorded(method, path string, get class) []string {
	wrong := j.classify(method, path, denied)
	if method == "HEAD" && get != "" && len(j.classify(method, path, get)) == 0 {
		return nil
	}
	return wrong
}

// unknown are routes that a later version could have: beside every route and
// below it, at the top, and in the folders that servers like.
func (l routeList) unknown() []string {
	paths := []string{"/", "/*", "/new-route", "/v1/new-route", "/v2/new-route", "/api/new-route", "/admin", "/internal/new-route"}
	for _, r := range l.Routes {
		path := r.example()
		parent := path[:strings.LastIndexByte(path, '/')]
		paths = append(paths, strings.TrimSuffix(path, "/")+"/new-route", path+"-new", parent+"/new-route", strings.ToUpper(path))
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	return slices.DeleteFunc(paths, func(path string) bool {
		return slices.ContainsFunc(l.Routes, func(r route) bool { return r.example() == path }) ||
			slices.ContainsFunc(l.Prefixes, func(p string) bool { return strings.HasPrefix(path, strings.TrimSuffix(p, "*")) })
	})
}

// comparePrefixes holds the prefixes of the rules to the list's.
func (l routeList) comparePrefixes(rules []authmin.Rule) []string {
	var wrong, got []string
	for _, r := range rules {
		for _, path := range r.Paths {
			if strings.HasSuffix(path, "/*") && r.Action != authmin.ActionDeny {
				got = append(got, path)
			}
		}
		if len(r.Methods) == 0 && r.Action != authmin.ActionDeny {
			wrong = append(wrong, fmt.Sprintf("rule `%s` opens every method", r))
		}
	}
	slices.Sort(got)
	want := slices.Sorted(slices.Values(l.Prefixes))
	if !slices.Equal(slices.Compact(got), want) {
		wrong = append(wrong, fmt.Sprintf("prefixes %q, want %q", got, want))
	}
	return wrong
}
