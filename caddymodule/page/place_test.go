package page

import (
	"strings"
	"testing"
)

const pageSite = "https://page.example.com {\n\tauthmin_page\n}\n"

// A page has an origin of its own: no other handler answers on its host and port.
func TestAPageIsAlone(t *testing.T) {
	const proxy = "reverse_proxy 127.0.0.1:8081"
	for name, c := range map[string]struct {
		sites string
		want  string // in the refusal; "" for none
	}{
		"a site of its own":         {pageSite, ""},
		"a listener of its own":     {"http://:8082 {\n\tbind 127.0.0.1\n\tauthmin_page watch\n}\nhttp://:8080 {\n\tbind 127.0.0.1\n\t" + proxy + "\n}\n", ""},
		"another host":              {pageSite + "https://gateway.example.com {\n\t" + proxy + "\n}\n", ""},
		"an access log that leaves": {"https://page.example.com {\n\tlog_skip /page.css\n\tauthmin_page\n}\n", ""},

		"a proxy":                      {own(proxy), "reverse_proxy"},
		"a proxy in a handle block":    {own("handle /v1/* {\n" + proxy + "\n}"), "reverse_proxy"},
		"a proxy in error routes":      {own("handle_errors {\n" + proxy + "\n}"), "reverse_proxy"},
		"a proxy in an unused route":   {"&(spare) {\n" + proxy + "\n}\n" + own(""), ""}, // the adapter leaves it out
		"a proxy in a named route":     {"&(spare) {\n" + proxy + "\n}\n" + own("invoke spare"), "reverse_proxy"},
		"files":                        {own("file_server"), "file_server"},
		"PHP":                          {own("php_fastcgi 127.0.0.1:9000"), "reverse_proxy"},
		"a text":                       {own("respond /hello hello"), "respond"},
		"a redirect":                   {own("redir /old /"), "respond"},
		"templates":                    {own("templates"), "templates"},
		"a header":                     {own("header -Content-Security-Policy"), "header"},
		"a rewrite":                    {own("rewrite /x /"), "rewrite"},
		"metrics":                      {own("metrics /metrics"), "metrics"},
		"a guard of another site":      {own("authmin {\nrequire infer /v1/*\n}"), "guard"},
		"a second page":                {own("authmin_page other"), "authmin_page"},
		"a page in a handle block":     {"https://page.example.com {\n\thandle /page/* {\n\t\tauthmin_page\n\t}\n}\n", "inside a block with a matcher"},
		"the same host, written twice": {"https://page.example.com, https://www.example.com {\n\tauthmin_page\n}\nhttps://WWW.example.com:443/v1/* {\n\t" + proxy + "\n}\n", "reverse_proxy"},
		"the same host, in Punycode":   {"https://b\u00fccher.example.com {\n\tauthmin_page\n}\nhttps://xn--bcher-kva.example.com/v1/* {\n\t" + proxy + "\n}\n", "reverse_proxy"},
		"a wildcard host":              {pageSite + "https://*.example.com {\n\ttls internal\n\t" + proxy + "\n}\n", "reverse_proxy"},
		"every host of the port":       {pageSite + "https:// {\n\t" + proxy + "\n}\n", "reverse_proxy"},
		"every host, and the page":     {"https://:8443 {\n\ttls internal\n\tauthmin_page\n}\nhttps://gateway.example.com:8443 {\n\t" + proxy + "\n}\n", "reverse_proxy"},
		"the port at another address":  {"http://page.example.com:8082 {\n\tbind 127.0.0.1\n\tauthmin_page\n}\nhttp://page.example.com:8082 {\n\tbind 127.0.0.2\n\t" + proxy + "\n}\n", "reverse_proxy"},
		"a host that is not yet known": {"https://page.example.com {\n\tauthmin_page\n}\nhttps://{env.OTHER_HOST} {\n\ttls internal\n\t" + proxy + "\n}\n", "reverse_proxy"},
	} {
		t.Run(name, func(t *testing.T) {
			config, err := adapt(t, options+c.sites)
			if err == nil {
				err = validate(t, config)
			}
			switch {
			case c.want == "" && err != nil:
				t.Errorf("refused: %v", err)
			case c.want != "" && err == nil:
				t.Error("accepted")
			case c.want != "" && !strings.Contains(err.Error(), c.want):
				t.Errorf("got %q, want it to name %q", err, c.want)
			}
		})
	}
}

// own is the page's site with something beside the page.
func own(beside string) string {
	return "https://page.example.com {\n\tauthmin_page\n" + beside + "\n}\n"
}

// In JSON the page could be written without its guard, or with another.
func TestAPageHasItsGuard(t *testing.T) {
	config, err := adapt(t, options+pageSite)
	if err != nil {
		t.Fatal(err)
	}
	if err := validate(t, config); err != nil {
		t.Fatal(err)
	}
	const kept = `"token_only":true`
	for name, change := range map[string]string{
		"takes other identities": `"token_only":false`,
		"refuses nothing":        kept + `,"shadow":true`,
		"opens to other origins": kept + `,"cors":["https://evil.example"]`,
	} {
		changed := strings.Replace(string(config), kept, change, 1)
		if changed == string(config) {
			t.Fatalf("no %s in %s", kept, config)
		}
		if err := validate(t, []byte(changed)); err == nil || !strings.Contains(err.Error(), "has not the guard") {
			t.Errorf("a guard that %s: got %v", name, err)
		}
	}
	start := strings.Index(string(config), `{"handler":"authmin",`)
	end := strings.Index(string(config), `{"handler":"authmin_page"`)
	if start < 0 || end < start {
		t.Fatalf("no guard before the page in %s", config)
	}
	bare := string(config[:start]) + string(config[end:])
	if err := validate(t, []byte(bare)); err == nil || !strings.Contains(err.Error(), "has not the guard") {
		t.Errorf("no guard: got %v", err)
	}
}

// The mistakes of the directive, at their line; none of them shows a token.
func TestMistakesOfTheDirective(t *testing.T) {
	const credential = "upstream_token {env.TEST_UPSTREAM}\n"
	for block, want := range map[string]string{
		"orchestrator http://127.0.0.1:8081": "belong together",
		credential:                           "belong together",
		credential + "orchestrator http://10.0.0.7:8081":                 "want https://",
		credential + "orchestrator ftp://127.0.0.1":                      "want https://",
		credential + "orchestrator https://user:secret@orch.example.com": "want https://",
		credential + "orchestrator https://orch.example.com/v2":          "want https://",
		credential + "orchestrator https://orch.example.com?x=1":         "want https://",
		credential + "orchestrator 127.0.0.1:8081":                       "want https://",
		credential + "orchestrator":                                      "one URL",
		"upstream_token " + tokenUpstream:                                "upstream_token",
		"upstream_token a b":                                             "one source",
		"orchestrator_ca ca.pem":                                         "absolute path",
		"plaintext on":                                                   "no value",
		"plaintext\nplaintext":                                           "twice",
		"public /x":                                                      "unknown option",
		credential + "orchestrator https://orch.example.com\norchestrator_ca /nowhere.pem": "orchestrator_ca",
	} {
		config, err := adapt(t, options+"https://page.example.com {\n\tauthmin_page {\n"+block+"\n}\n}\n")
		if err == nil {
			err = validate(t, config)
		}
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "canary") || strings.Contains(err.Error(), "secret@") {
			t.Errorf("%s: got %v, want %q", block, err, want)
		}
	}
	for _, head := range []string{"authmin_page /x", "authmin_page * {\n}", "authmin_page a b", "authmin_page UPPER"} {
		config, err := adapt(t, options+"https://page.example.com {\n\t"+head+"\n}\n")
		if err == nil {
			err = validate(t, config)
		}
		if err == nil {
			t.Errorf("%s: accepted", head)
		}
	}
}
