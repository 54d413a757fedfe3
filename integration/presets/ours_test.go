package presets_test

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/orchestrator/httpapi"
	"github.com/llorch/gateway/poolmanager"
)

// ours are the route tables of our own two servers, walked and not recorded.
func ours(t *testing.T) map[string][]route {
	t.Helper()
	all := map[string][]route{}
	for _, r := range httpapi.Routes() {
		all["orchestrator"] = append(all["orchestrator"], route{r.Method, r.Path, classOf(r.Scopes, r.Public)})
	}
	for _, r := range poolmanager.Routes() {
		all["poolmanager"] = append(all["poolmanager"], route{r.Method, r.Path, classOf(r.Scopes, r.Public)})
	}
	const least = 8 // both have more; fewer means that they were not read
	for name, routes := range all {
		if len(routes) < least {
			t.Fatalf("%s: %d routes, want at least %d", name, len(routes), least)
		}
	}
	return all
}

func classOf(scopes []authmin.Scope, isPublic bool) class {
	if isPublic {
		return public
	}
	return class(authmin.JoinScopes(scopes, ","))
}

// coarser are routes where the gateway lets more through than the server does,
// which looks again: a rule's * stands at its end only.
var coarser = map[string]class{"GET /pools/{id}/logs": "dispatch"}

// TestOurPresets: each route of our servers has the class that it declares, and
// what is no route of theirs is denied at the top and in other folders.
func TestOurPresets(t *testing.T) {
	for name, routes := range ours(t) {
		t.Run(name, func(t *testing.T) {
			j, err := newJudge(rulesOf(t, site(t, name, "authmin-"+name, "")))
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range routes {
				want := r.Class
				if other, ok := coarser[r.Method+" "+r.Path]; ok {
					want = other
				}
				for _, wrong := range j.classify(r.Method, r.example(), want) {
					t.Error(wrong)
				}
			}
			for _, method := range methods {
				for _, path := range []string{"/", "/new-route", "/v1/new-route", "/v2/new-route", "/api/new-route", "/debug/pprof/", "/health/x", "/metrics/x"} {
					want := denied
					if path == "/" && name == "orchestrator" && (method == http.MethodGet || method == http.MethodHead) {
						want = public // answered at the edge, as Ollama does
					}
					for _, wrong := range j.classify(method, path, want) {
						t.Error(wrong)
					}
				}
			}
		})
	}
}

// A line is one path of one rule: rules may be cut and joined, lines may not.
type line string

func linesOf(rules []authmin.Rule) []line {
	var all []line
	for _, r := range rules {
		for _, path := range r.Paths {
			r.Paths = []string{path}
			all = append(all, line(r.String()))
		}
	}
	return all
}

// What a template has beside text: conditions, and values.
var (
	condition = regexp.MustCompile(`\{\{-? *(if|end)[^}]*\}\}`)
	action    = regexp.MustCompile(`\{\{[^}]*\}\}`)
)

// upRules are the rules of the Caddyfile of `llorch up`.
func upRules(t *testing.T) []authmin.Rule {
	t.Helper()
	return rulesOf(t, upText(t))
}

// upText is the Caddyfile of `llorch up`, which is a template.
func upText(t *testing.T) string {
	t.Helper()
	text := read(t, inRoot(t, "caddymodule/cmd/llorch/up.caddyfile.tmpl"))
	text = strings.ReplaceAll(text, "{{.Token}}", "token owner {env.OWNER} admin")
	for name, value := range map[string]string{"Listen": "127.0.0.1:8080", "Port": "8080", "Host": "127.0.0.1", "PoolManager": "127.0.0.1:9200", "Orchestrator": "127.0.0.1:8081", "Page": "127.0.0.1:8082", "PageHost": "127.0.0.1", "PagePort": "8082", "Budgets": "/var/lib/llorch/budgets"} {
		text = strings.ReplaceAll(text, "{{."+name+"}}", value)
	}
	return action.ReplaceAllString(condition.ReplaceAllString(text, ""), "NAME")
}

// TestOneTruth: Caddyfile.example and the Caddyfile of `llorch up` have the same
// rules in the same order, each preset of ours has some of them in this order,
// and together they have all. Likewise model_in and model_free; there a preset may leave
// lines out.
func TestOneTruth(t *testing.T) {
	text := read(t, inRoot(t, "Caddyfile.example"))
	example, models := linesOf(rulesOf(t, text)), modelLinesOf(t, text)
	if diff := cmp.Diff(example, linesOf(upRules(t))); diff != "" {
		t.Errorf("Caddyfile.example and up.caddyfile.tmpl (-example +up):\n%s", diff)
	}
	if diff := cmp.Diff(models, modelLinesOf(t, upText(t))); diff != "" {
		t.Errorf("models in Caddyfile.example and up.caddyfile.tmpl (-example +up):\n%s", diff)
	}
	parts := map[string][]line{}
	for name := range ours(t) {
		preset := site(t, name, "authmin-"+name, "")
		parts[name] = linesOf(rulesOf(t, preset))
		for _, wrong := range notIn(models, name, modelLinesOf(t, preset)) {
			t.Error(wrong)
		}
	}
	for _, wrong := range compareParts(example, parts) {
		t.Error(wrong)
	}
}

// compareParts tells what parts have that the whole has not, or in another
// order, and what none of them has.
func compareParts(whole []line, parts map[string][]line) []string {
	var wrong []string
	covered := map[line]bool{}
	for name, part := range parts {
		wrong = append(wrong, notIn(whole, name, part)...)
		for _, l := range part {
			covered[l] = true
		}
	}
	for _, l := range whole {
		if !covered[l] {
			wrong = append(wrong, fmt.Sprintf("no preset has `%s` of Caddyfile.example", l))
		}
	}
	return wrong
}

// notIn tells which lines of a preset the whole has not, or in another order.
func notIn(whole []line, preset string, part []line) (wrong []string) {
	for _, l := range part {
		at := slices.Index(whole, l)
		if at < 0 {
			wrong = append(wrong, fmt.Sprintf("preset %s: `%s` is not in Caddyfile.example, or stands elsewhere", preset, l))
			continue
		}
		whole = whole[at+1:]
	}
	return wrong
}

func TestOneTruthCanFail(t *testing.T) {
	whole := []line{"public /health", "require infer /a", "require admin /b"}
	cases := map[string]struct {
		one, other []line
		ok         bool
	}{
		"cut in two":      {whole[:2], whole[2:], true},
		"shared":          {whole[:2], []line{whole[0], whole[2]}, true},
		"one forgotten":   {whole[:1], whole[2:], false},
		"one too many":    {whole, []line{"require infer /c"}, false},
		"another order":   {[]line{whole[1], whole[0]}, whole[2:], false},
		"another scope":   {[]line{whole[0], "require nodes /a"}, whole[2:], false},
		"another method":  {[]line{whole[0], "require infer GET /a"}, whole[2:], false},
		"nothing at all":  {nil, nil, false},
		"the whole twice": {whole, whole, true},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			got := compareParts(whole, map[string][]line{"one": c.one, "other": c.other})
			if ok := len(got) == 0; ok != c.ok {
				t.Errorf("wrong = %q, want ok = %v", got, c.ok)
			}
		})
	}
}

// TestShorterBlocksForOllama: the blocks in README.md and in Caddyfile.example
// may leave routes out, but open none to others than the preset does.
func TestShorterBlocksForOllama(t *testing.T) {
	list := recorded(t, "ollama")
	blocks := map[string]*regexp.Regexp{
		"README.md":         regexp.MustCompile("(?ms)^gateway\\.example\\.com \\{\n\tauthmin ollama \\{.*?^\\}$"),
		"Caddyfile.example": regexp.MustCompile(`(?ms)^#http://\S*:11435 \{\n.*?^#\}$`),
	}
	for file, block := range blocks {
		text := block.FindString(read(t, inRoot(t, file)))
		if text == "" {
			t.Errorf("%s has no such block any more", file)
			continue
		}
		j, err := newJudge(rulesOf(t, regexp.MustCompile(`(?m)^#`).ReplaceAllString(text, "")))
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range list.Routes {
			wrong := j.classify(r.Method, r.example(), r.Class)
			if len(j.classify(r.Method, r.example(), denied)) > 0 && len(wrong) > 0 {
				t.Errorf("%s: %s", file, strings.Join(wrong, "; "))
			}
		}
	}
}
