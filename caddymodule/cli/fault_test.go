package cli

import (
	"path/filepath"
	"strings"
	"testing"
)

// outcome is the effect of a fault.
type outcome uint8

const (
	warned  outcome = iota // a warning of lint
	wrong                  // an error of lint; the configuration starts
	refused                // an error of lint; the start refuses it
)

// arrangement is a part of a configuration, and the expected finding.
type arrangement struct {
	name    string
	globals string
	body    string // of a site with the guard below, unless it has a guard itself
	line    string // a part of the line that lint has to name; "" for the file alone
	want    outcome
	words   string // of the finding
}

const guardOfArrangements = "authmin edge {\n require infer /*\n upstream_token {env.TEST_UPSTREAM}\n }\n"

func (a *arrangement) text() string {
	body := a.body
	if !strings.Contains(body, "authmin") {
		body = guardOfArrangements + body
	}
	globals := a.globals
	if !strings.Contains(globals, "authmin") {
		globals += twoTokens
	}
	if !strings.Contains(globals, "admin ") {
		globals += "\tadmin off\n"
	}
	return "{\n\tpersist_config off\n\tauto_https disable_redirects\n\tskip_install_trust\n\tlocal_certs\n" + silent + globals + "}\nhttp://:8080 {\nbind 127.0.0.1\n" + body + "\n}\n"
}

// check lints and validates an arrangement.
func (a *arrangement) check(t *testing.T) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "Caddyfile")
	text := a.text()
	writeFile(t, file, text, 0o600)
	findings, err := lint(file)
	if err != nil {
		t.Fatal(err)
	}
	found := false
	for _, f := range findings {
		if !strings.Contains(f.text, a.words) {
			continue
		}
		found = true
		if f.warning != (a.want == warned) {
			t.Errorf("got warning=%t for %q, want outcome %d", f.warning, f.text, a.want)
		}
		if lines := strings.Split(text, "\n"); a.line != "" && (f.at.line == 0 || !strings.Contains(lines[f.at.line-1], a.line)) {
			t.Errorf("placed at %s, want the line with %q in\n%s", f.at, a.line, text)
		}
		expectNoToken(t, f.text)
	}
	if !found {
		t.Errorf("lint does not say %q of\n%s\n%v", a.words, text, findings)
	}
	err = validate(t, text)
	switch {
	case a.want == refused:
		expectRefused(t, err, a.words)
	case err != nil:
		t.Errorf("refused: %v", err)
	}
}

const proxied = "\nreverse_proxy 127.0.0.1:8081\n"

// What a configuration gives away of the guards' work is said at its line, and refused
// where it would let a client through or its token out.
func TestFaultsAreReportedAndRefused(t *testing.T) {
	for _, a := range slicesOf(copiedArrangements, writtenArrangements, chosenArrangements, clientArrangements, guardArrangements, adminArrangements) {
		t.Run(a.name, a.check)
	}
}

var copiedArrangements = []arrangement{
	{name: "log_append", body: "log_append secret {header.Authorization}" + proxied, line: "log_append", want: refused, words: "log_append copies {header.Authorization}"},
	{name: "header", body: "header X-Seen {header.Authorization}" + proxied, line: "header X-Seen", want: refused, words: "copies {header.Authorization}"},
	{name: "header in lower case", body: "header X-Seen {http.request.header.authorization}" + proxied, line: "X-Seen", want: refused, words: "copies {header.authorization}"},
	{name: "request_header", body: "request_header X-Seen {header.Authorization}" + proxied, line: "request_header", want: refused, words: "copies {header.Authorization}"},
	{name: "header_up of an API key", body: "reverse_proxy 127.0.0.1:8081 {\n header_up X-Seen {http.request.header.X-Api-Key}\n }", line: "header_up", want: refused, words: "copies {header.X-Api-Key}"},
	{name: "header_up of an API key with an underscore", body: "reverse_proxy 127.0.0.1:8081 {\n header_up X-Seen {header.x_api_key}\n }", line: "header_up", want: refused, words: "{header.x_api_key}"},
	{name: "header_down", body: "reverse_proxy 127.0.0.1:8081 {\n header_down X-Seen {header.Proxy-Authorization}\n }", line: "header_down", want: refused, words: "copies {header.Proxy-Authorization}"},
	{name: "vars and what reads it", body: "route {\n vars seen {header.Authorization}\n" + guardOfArrangements + "header X-Seen {vars.seen}" + proxied + "}", line: "vars seen", want: refused, words: "vars copies"},
	{name: "map", body: "map {header.Authorization} {seen} {\n default x\n }" + proxied, line: "map", want: refused, words: "map copies"},
	{name: "map's output", body: "map {path} {seen} {\n default {header.Cookie}\n }" + proxied, line: "default", want: refused, words: "map copies"},
	{name: "respond", body: "respond /x \"you sent {header.Authorization}\"" + proxied, line: "respond", want: refused, words: "respond copies"},
	{name: "respond in error routes", body: "handle_errors {\n respond {header.Authorization}\n }" + proxied, line: "respond", want: refused, words: "respond copies"},
	{name: "error", body: "error /x {header.Cookie} 404" + proxied, line: "error", want: refused, words: "error copies"},
	{name: "redir", body: "redir /x https://elsewhere.example/{header.Authorization}" + proxied, line: "redir", want: refused, words: "copies {header.Authorization}"},
	{name: "rewrite", body: "rewrite /x /y?{header.Authorization}" + proxied, line: "rewrite", want: refused, words: "rewrite copies"},
	{name: "uri query", body: "uri query token {header.Authorization}" + proxied, line: "uri query", want: refused, words: "rewrite copies"},
	{name: "uri replace", body: "uri replace /x /{header.X-Auth-Token}" + proxied, line: "uri replace", want: warned, words: "the guard judges the path"},
	{name: "a cookie by its name", body: "header X-Seen {cookie.session}" + proxied, line: "header", want: refused, words: "copies {cookie.session}"},
	{name: "a key in the query", body: "header X-Seen {query.api_key}" + proxied, line: "header", want: refused, words: "copies {query.api_key}"},
	{name: "a token in the query of before a rewrite", body: "header X-Seen {http.request.orig_uri.query.access_token}" + proxied, line: "header", want: refused, words: "{query.access_token}"},
	{name: "a security token", body: "header X-Seen {header.X-Amz-Security-Token}" + proxied, line: "header", want: refused, words: "Security-Token"},
	{name: "fastcgi env", body: "php_fastcgi 127.0.0.1:9000 {\n env SEEN {header.Authorization}\n }", line: "env SEEN", want: refused, words: "reverse_proxy copies"},
	{name: "copy_headers", body: "forward_auth 127.0.0.1:9000 {\n uri /\n copy_headers Authorization\n }" + proxied, line: "copy_headers", want: refused, words: "{header.Authorization}"},
	{name: "a template in respond", body: "templates\nrespond /x `{{placeholder \"http.request.header.Authorization\"}}`" + proxied, line: "respond", want: refused, words: "respond copies"},
	{name: "another template in respond", body: "templates\nrespond /x `{{.Req.Header.Get \"Authorization\"}}`" + proxied, line: "respond", want: refused, words: ".Req.Header of a template"},
	{name: "a span", body: "tracing {\n span {header.Authorization}\n }" + proxied, line: "span", want: refused, words: "tracing copies"},
	{name: "a token's own source", body: "respond /x {env.TEST_INFER}" + proxied, line: "respond", want: refused, words: "copies {env.TEST_INFER}"},
	{name: "the upstream token's source", body: "header X-Seen {env.TEST_UPSTREAM}" + proxied, line: "header", want: refused, words: "copies {env.TEST_UPSTREAM}"},
	{name: "a part of a header by a regular expression", body: "@t header_regexp tok Authorization ^Bearer(.+)$\nheader @t X-Seen {re.tok.1}" + proxied, line: "header @t", want: refused, words: "copies {re.tok}"},
	{name: "an expression", body: "@t `{header.Authorization} == \"x\"`\nrespond @t no" + proxied, want: refused, words: "a matcher reads {header.Authorization}"},
	{name: "a matcher on vars", body: "@t vars {header.Authorization} x\nrespond @t no" + proxied, want: refused, words: "a matcher reads {header.Authorization}"},
	{name: "an intercepted answer", body: "intercept {\n handle_response {\n respond {header.Cookie}\n }\n }" + proxied, line: "respond", want: refused, words: "respond copies"},
	{name: "a named route", globals: "", body: "route {\n" + guardOfArrangements + "handle {\n header X-Seen {header.Authorization}\n }" + proxied + "}", line: "header X-Seen", want: refused, words: "header copies"},
}

var writtenArrangements = []arrangement{
	{name: "header_up", body: "reverse_proxy 127.0.0.1:8081 {\n header_up X-Auth-Identity {query.user}\n }", line: "header_up", want: refused, words: "writes X-Auth-Identity"},
	{name: "header_up that adds", body: "reverse_proxy 127.0.0.1:8081 {\n header_up +X-Auth-Scopes admin\n }", line: "header_up", want: refused, words: "writes X-Auth-Scopes"},
	{name: "header_up with an underscore", body: "reverse_proxy 127.0.0.1:8081 {\n header_up X_Auth_Identity boss\n }", line: "header_up", want: refused, words: "writes X_auth_identity"},
	{name: "header_up with dots", body: "reverse_proxy 127.0.0.1:8081 {\n header_up x.auth.models *\n }", line: "header_up", want: refused, words: "writes"},
	{name: "header_up that replaces", body: "reverse_proxy 127.0.0.1:8081 {\n header_up X-Auth-Scopes infer admin\n }", line: "header_up", want: refused, words: "writes X-Auth-Scopes"},
	{name: "header_up of every field", body: "reverse_proxy 127.0.0.1:8081 {\n header_up * infer admin\n }", line: "header_up", want: refused, words: "writes X-Auth-*"},
	{name: "header_up of a name from the request", body: "reverse_proxy 127.0.0.1:8081 {\n header_up {query.name} x\n }", line: "header_up", want: refused, words: "name comes from a placeholder"},
	{name: "request_header", body: "request_header X-Auth-Scopes admin" + proxied, line: "request_header", want: refused, words: "writes X-Auth-Scopes"},
	{name: "request_header before the guard", body: "route {\n request_header X-Auth-Identity boss\n" + guardOfArrangements + proxied + "}", line: "request_header", want: refused, words: "writes X-Auth-Identity"},
	{name: "copy_headers", body: "forward_auth 127.0.0.1:9000 {\n uri /\n copy_headers X-Auth-Scopes\n }" + proxied, line: "copy_headers", want: refused, words: "writes X-Auth-Scopes"},
	{name: "copy_headers by another name", body: "forward_auth 127.0.0.1:9000 {\n uri /\n copy_headers Remote-User>X-Auth-Identity\n }" + proxied, line: "copy_headers", want: refused, words: "writes X-Auth-Identity"},
	{name: "copy_response_headers", body: "reverse_proxy 127.0.0.1:8081 {\n handle_response {\n copy_response_headers {\n include X-Auth-Identity\n }\n }\n }", line: "", want: refused, words: "copy_response_headers writes X-Auth-Identity"},
	{name: "an answer", body: "header X-Auth-Identity boss" + proxied, line: "header", want: refused, words: "header writes X-Auth-Identity"},
	{name: "a fastcgi variable", body: "php_fastcgi 127.0.0.1:9000 {\n env HTTP_X_AUTH_IDENTITY {query.user}\n }", line: "env", want: refused, words: "writes X_AUTH_IDENTITY"},
	{name: "map on who asks", body: "map {path} {http.auth.user.id} {\n default boss\n }" + proxied, line: "map", want: refused, words: "map writes {http.auth.…}"},
	{name: "Authorization before the guard", body: "route {\n request_header Authorization \"Bearer x\"\n" + guardOfArrangements + proxied + "}", line: "authmin", want: refused, words: "decides by an Authorization"},
	{name: "a header for browsers beside cors", body: "header Access-Control-Allow-Origin *\nauthmin edge {\n cors https://chat.example.com\n require infer /*\n }" + proxied, line: "Access-Control-Allow-Origin", want: warned, words: "which pages may read answers"},
	{name: "a header_down for browsers beside cors", body: "authmin edge {\n cors https://chat.example.com\n require infer /*\n }\nreverse_proxy 127.0.0.1:8081 {\n header_down Timing-Allow-Origin *\n }", line: "Timing-Allow-Origin", want: warned, words: "which pages may read answers"},
	{name: "cors of a shadow guard", body: "authmin edge {\n shadow\n cors https://chat.example.com\n require infer /*\n }" + proxied, line: "authmin", want: warned, words: "ignores `cors`"},
	{name: "X-Api-Key before a guard that reads it", body: "route {\n request_header X-Api-Key x\n authmin edge {\n credentials bearer x-api-key\n require infer /*\n }" + proxied + "}", line: "authmin", want: refused, words: "decides by an X-Api-Key"},
	{name: "Authorization from the request", body: "reverse_proxy 127.0.0.1:8081 {\n header_up Authorization {query.a}\n }", line: "header_up", want: refused, words: "writes Authorization from what the client sent"},
	{name: "Authorization of the operator's", body: "reverse_proxy 127.0.0.1:8081 {\n header_up Authorization \"Bearer {env.OTHER}\"\n }", line: "header_up", want: warned, words: "upstream_token SOURCE"},
	{name: "another identity from the request", body: "reverse_proxy 127.0.0.1:8081 {\n header_up X-Remote-User {query.user}\n }", line: "header_up", want: warned, words: "writes X-Remote-User"},
	{name: "identity headers deleted", body: "reverse_proxy 127.0.0.1:8081 {\n header_up -X-Auth-*\n }", line: "header_up", want: warned, words: "deletes X-Auth-"},
}

var chosenArrangements = []arrangement{
	{name: "a header", body: "reverse_proxy {header.X-Up}", line: "reverse_proxy", want: refused, words: "address from {http.request.header.X-Up}"},
	{name: "a query", body: "reverse_proxy {query.up}:8081", line: "reverse_proxy", want: refused, words: "{http.request.uri.query.up}"},
	{name: "the path", body: "reverse_proxy {path.0}:8081", line: "reverse_proxy", want: refused, words: "address from"},
	{name: "the host", body: "reverse_proxy {host}:8081", line: "reverse_proxy", want: refused, words: "{http.request.host}"},
	{name: "a label of the host", body: "reverse_proxy {labels.2}:8081", line: "reverse_proxy", want: refused, words: "address from"},
	{name: "a cookie", body: "reverse_proxy {cookie.up}", line: "reverse_proxy", want: refused, words: "address from"},
	{name: "a variable", body: "vars up {query.up}\nreverse_proxy {vars.up}", line: "reverse_proxy", want: refused, words: "{http.vars.up}"},
	{name: "a variable of a variable", body: "vars a {query.up}\nvars b {vars.a}\nreverse_proxy {vars.b}", line: "reverse_proxy", want: refused, words: "{http.vars.b}"},
	{name: "a variable whose name the client chooses", body: "vars {query.n} x\nvars up 127.0.0.1:1\nreverse_proxy {vars.up}", line: "v", want: refused, words: "{http.vars.up}"},
	{name: "a map with groups", body: "map {path} {up} {\n ~^/(.*)$ ${1}\n default x\n }\nreverse_proxy {up}:80", line: "reverse_proxy", want: refused, words: "{up}"},
	{name: "a map's default", body: "map {path} {up} {\n /a b\n default {header.X-Up}\n }\nreverse_proxy {up}:80", line: "reverse_proxy", want: refused, words: "{up}"},
	{name: "a regular expression's group", body: "@up path_regexp up ^/(.*)$\nreverse_proxy @up {re.up.1}:80", line: "reverse_proxy", want: refused, words: "{http.regexp.up.1}"},
	{name: "a dynamic name", body: "reverse_proxy {\n dynamic a {header.X-Up} 80\n }", line: "dynamic", want: refused, words: "{http.request.header.X-Up}"},
	{name: "dynamic records", body: "reverse_proxy {\n dynamic srv {host}\n }", line: "dynamic", want: refused, words: "{http.request.host}"},
	{name: "many dynamic sources", body: "reverse_proxy {\n dynamic multi {\n a engine 80\n a {host} 80\n }\n }", line: "a {host}", want: refused, words: "{http.request.host}"},
	{name: "php_fastcgi", body: "php_fastcgi {header.X-Up}", line: "php_fastcgi", want: refused, words: "{http.request.header.X-Up}"},
	{name: "forward_auth", body: "forward_auth {header.X-Up} {\n uri /\n }" + proxied, line: "forward_auth", want: refused, words: "{http.request.header.X-Up}"},
	{name: "in error routes", body: "handle_errors {\n" + guardOfArrangements + "reverse_proxy {header.X-Up}\n }" + proxied, line: "reverse_proxy", want: refused, words: "{http.request.header.X-Up}"},
	{name: "the other proxy's answer", body: "reverse_proxy 127.0.0.1:8081 {\n handle_response {\n reverse_proxy {rp.header.X-Up}\n }\n }", line: "reverse_proxy {rp", want: refused, words: "{http.reverse_proxy.header.X-Up}"},
	{name: "a proxy by another proxy", body: "reverse_proxy 127.0.0.1:8081 {\n transport http {\n network_proxy url http://{query.p}\n }\n }", line: "network_proxy", want: refused, words: "{http.request.uri.query.p}"},
}

const trusting = "\tservers {\n\t\ttrusted_proxies static %\n\t}\n"

var clientArrangements = []arrangement{
	{name: "not strict", globals: strings.ReplaceAll(trusting, "%", "10.0.0.7/32"), body: proxied, line: "trusted_proxies", want: refused, words: "without trusted_proxies_strict"},
	{name: "not strict, lockout off", globals: strings.ReplaceAll(trusting, "%", "10.0.0.7/32") + "\tauthmin {\n\t\tlockout off\n\t\ttoken a {env.TEST_INFER} infer\n\t}\n", body: proxied, line: "trusted_proxies", want: warned, words: "the audit trail could be forged"},
	{name: "every address", globals: strings.ReplaceAll(trusting, "%", "0.0.0.0/0\n\t\ttrusted_proxies_strict"), body: proxied, line: "trusted_proxies static", want: refused, words: "trusted_proxies 0.0.0.0/0"},
	{name: "every address of IPv6", globals: strings.ReplaceAll(trusting, "%", "10.0.0.7 ::/0\n\t\ttrusted_proxies_strict"), body: proxied, line: "trusted_proxies static", want: refused, words: "trusted_proxies ::/0"},
	{name: "half of all", globals: strings.ReplaceAll(trusting, "%", "128.0.0.0/1\n\t\ttrusted_proxies_strict"), body: proxied, line: "trusted_proxies static", want: refused, words: "128.0.0.0/1"},
	{name: "all unicast of IPv6", globals: strings.ReplaceAll(trusting, "%", "2000::/3\n\t\ttrusted_proxies_strict"), body: proxied, line: "trusted_proxies static", want: refused, words: "2000::/3"},
	{name: "every mapped address", globals: strings.ReplaceAll(trusting, "%", "::ffff:0.0.0.0/96\n\t\ttrusted_proxies_strict"), body: proxied, line: "trusted_proxies static", want: refused, words: "::ffff:0.0.0.0/96"},
	{name: "a proxy that trusts all", body: "reverse_proxy 127.0.0.1:8081 {\n trusted_proxies 0.0.0.0/0\n }", line: "trusted_proxies", want: warned, words: "reverse_proxy with trusted_proxies 0.0.0.0/0"},
}

var guardArrangements = []arrangement{
	{name: "basic_auth after it", body: "basic_auth {\n a $2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG\n }" + proxied, line: "basic_auth", want: wrong, words: "basic_auth behind a guard"},
	{name: "basic_auth before it", body: "route {\n basic_auth {\n a $2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG\n }\n" + guardOfArrangements + proxied + "}", line: "authmin edge", want: wrong, words: "is behind basic_auth"},
	{name: "after the proxy", body: "route {\nreverse_proxy 127.0.0.1:8081\n" + guardOfArrangements + "}", line: "authmin edge", want: refused, words: "never runs"},
	{name: "rules below handle_path", body: "handle_path /api/* {\nauthmin edge {\n require infer /v1/*\n }\n" + proxied + "}", line: "require infer /v1/*", want: wrong, words: "no request can match `/v1/*`"},
	{name: "rules below handle", body: "handle /api/* {\nauthmin edge {\n require infer /v1/*\n require infer /api/*\n }\n" + proxied + "}", line: "require infer /v1/*", want: warned, words: "no request can match `/v1/*`"},
	{name: "handle_path in the middle of a segment", body: "authmin edge {\n require admin /ollama/*\n require infer /*\n}\nhandle_path /ollama* {" + proxied + "}", want: refused, words: "/ollamax"},
	{name: "strip_prefix in the middle of a segment", body: "authmin edge {\n require admin /ollama/* \n public /*\n}\nuri strip_prefix /ollama" + proxied, want: refused, words: "begins with /ollama in the middle"},
	{name: "strip_prefix before the guard", body: "route {\nuri strip_prefix /ollama\nauthmin edge {\n deny /ollama/* \n require infer /*\n}\n" + proxied + "}", want: refused, words: "begins with /ollama in the middle"},
	{name: "a matcher in capitals", body: "authmin edge {\n require admin /ollama/*\n require infer /*\n}\nhandle_path /OLLAMA* {" + proxied + "}", want: refused, words: "begins with /OLLAMA in the middle"},
	{name: "a weaker rule beside it", body: "authmin edge {\n require admin POST /ollama/api/pull\n public /ollamaapi/*\n}\nhandle_path /ollama* {" + proxied + "}", want: refused, words: "by `public /ollamaapi/*`"},
	{name: "a named matcher", body: "authmin edge {\n deny /ollama/*\n require infer /*\n}\n@o path /x /ollama*\nreverse_proxy @o 127.0.0.1:8081", want: refused, words: "begins with /ollama in the middle"},
	{name: "an expression", body: "authmin edge {\n deny /ollama/*\n require infer /*\n}\n@o `path('/ollama*')`\nreverse_proxy @o 127.0.0.1:8081", want: refused, words: "begins with /ollama in the middle"},
	{name: "a regular expression", body: "authmin edge {\n deny /ollama/*\n require infer /*\n}\n@o path_regexp ^/ollama\nreverse_proxy @o 127.0.0.1:8081", want: refused, words: "begins with /ollama in the middle"},
	{name: "a weaker rule for other spellings", body: "authmin edge {\n deny /ollama/*\n require infer /*\n}" + proxied, line: "require infer /*", want: warned, words: "`require infer /*` also covers other spellings of the paths of `deny /ollama/*`"},
	{name: "a weaker rule for a slash at the end", body: "authmin edge {\n require admin GET /v2/nodes\n require infer /v2/nodes/*\n}" + proxied, line: "require infer", want: warned, words: "also covers other spellings"},
	{name: "a path with a slash at its end", body: "authmin edge {\n require infer /api/\n}" + proxied, line: "require infer /api/", want: warned, words: "`/api/` is that path alone"},
	{name: "two guards of one name", body: "handle /a/* {\nauthmin edge {\n require infer /a/*\n }" + proxied + "}\nhandle {\nauthmin edge {\n require admin /*\n }" + proxied + "}", line: "authmin edge", want: warned, words: "two guards are called edge"},
	{name: "two guards without a name", body: "handle /a/* {\nauthmin {\n require infer /a/*\n }" + proxied + "}\nhandle {\nauthmin {\n require admin /*\n }" + proxied + "}", line: "authmin", want: warned, words: "two guards are called default"},
	{name: "a proxy in error routes without a guard", body: "handle_errors {\nreverse_proxy 127.0.0.1:8082\n}" + proxied, line: "reverse_proxy 127.0.0.1:8082", want: wrong, words: "in an error route"},
}

var adminArrangements = []arrangement{
	{name: "every address", globals: "\tadmin :2019\n", body: proxied, line: "admin :2019", want: refused, words: "admin endpoint :2019 can be reached"},
	{name: "every IPv4 address", globals: "\tadmin 0.0.0.0:2019\n", body: proxied, line: "admin 0", want: refused, words: "can be reached from other machines"},
	{name: "a private address", globals: "\tadmin 10.0.0.1:2019\n", body: proxied, line: "admin 10", want: refused, words: "can be reached from other machines"},
	{name: "a host name", globals: "\tadmin gateway.example.com:2019\n", body: proxied, line: "admin gateway", want: refused, words: "can be reached from other machines"},
	{name: "loopback TCP", globals: "\tadmin localhost:2019\n", body: proxied, line: "admin localhost", want: warned, words: "is on TCP"},
	{name: "a socket for everybody", globals: "\tadmin unix//run/x.sock|0666\n", body: proxied, line: "admin unix", want: wrong, words: "every user of this machine"},
}

func slicesOf(lists ...[]arrangement) (all []arrangement) {
	for _, list := range lists {
		all = append(all, list...)
	}
	return all
}

// What looks like a fault and is none starts, and lint finds nothing.
func TestValidConfigurationsHaveNoFaults(t *testing.T) {
	for _, a := range []arrangement{
		{name: "who asks", body: "reverse_proxy 127.0.0.1:8081 {\n header_up X-Webauth-User {http.auth.user.id}\n }"},
		{name: "a session id", body: "header X-Seen {header.X-Session-Id}" + proxied},
		{name: "an idempotency key", body: "log_append key {header.Idempotency-Key}" + proxied},
		{name: "a number of tokens", body: "log_append n {query.max_tokens}" + proxied},
		{name: "a file called cookie", body: "redir /cookie.js /assets/cookie.js" + proxied},
		{name: "the target", body: "redir /old https://elsewhere.example{uri}" + proxied},
		{name: "Caddy's forwarding headers", body: "reverse_proxy 127.0.0.1:8081 {\n header_up X-Real-IP {remote_host}\n header_up Host {upstream_hostport}\n }"},
		{name: "identity taken off an answer", body: "header -X-Auth-Identity" + proxied},
		{name: "another header of an author", body: "reverse_proxy 127.0.0.1:8081 {\n header_up X-Author me\n }"},
		{name: "an engine's key", body: "reverse_proxy 127.0.0.1:8081 {\n header_up X-Api-Key {env.ENGINE_KEY}\n }"},
		{name: "an engine's key before a guard that does not read it", body: "route {\n request_header X-Api-Key {env.ENGINE_KEY}\n" + guardOfArrangements + proxied + "}"},
		{name: "a header for browsers without cors", body: "header Access-Control-Allow-Origin https://chat.example.com" + proxied},
		{name: "cors, and a header for browsers taken off", body: "header -Access-Control-Allow-Origin\nauthmin edge {\n cors https://chat.example.com\n require infer /*\n }" + proxied},
		{name: "an address from the environment", body: "reverse_proxy {env.ENGINE}"},
		{name: "a constant map", body: "map {path} {up} {\n /a 127.0.0.1:1\n ~^/b 127.0.0.1:2\n default 127.0.0.1:3\n }\nreverse_proxy {up}"},
		{name: "a constant variable", body: "vars up 127.0.0.1:1\nreverse_proxy {vars.up}"},
		{name: "dynamic names", body: "reverse_proxy {\n dynamic a engine 8000\n }"},
		{name: "a name for TLS", body: "reverse_proxy https://127.0.0.1:8081 {\n transport http {\n tls_server_name {http.reverse_proxy.upstream.host}\n }\n }"},
		{name: "strict private proxies", globals: strings.ReplaceAll(trusting, "%", "private_ranges\n\t\ttrusted_proxies_strict"), body: proxied},
		{name: "rules without an overlap", body: "authmin edge {\n require admin GET /v2/nodes\n require nodes POST /v2/nodes/*\n require infer /v1/*\n}" + proxied},
		{name: "handle_path on segments", body: "authmin edge {\n require infer /ollama/*\n require infer /v1/*\n}\nhandle_path /ollama/* {" + proxied + "}"},
		{name: "a prefix with nothing weaker beside it", body: "authmin edge {\n require infer /ollama/*\n}\nhandle_path /ollama* {" + proxied + "}"},
		{name: "a prefix with something stricter beside it", body: "authmin edge {\n require infer /ollama/*\n require admin /*\n}\nhandle_path /ollama* {" + proxied + "}"},
		{name: "handle_path with whole rules", body: "handle_path /api/* {\nauthmin edge {\n require infer /api/v1/*\n }\n" + proxied + "}"},
		{name: "basic_auth beside it", body: "handle /files/* {\nbasic_auth {\n a $2a$14$Zkx19XLiW6VYouLHR5NmfOFU0z2GTNmpkT/5qqR7hx4IjWJPDhjvG\n }\nrespond x\n}\nhandle {\n" + guardOfArrangements + proxied + "}"},
		{name: "an admin socket", globals: "\tadmin unix//run/llorch/admin.sock|0600\n", body: proxied},
		{name: "two guards of two names", body: "handle /a/* {\nauthmin a {\n require infer /a/*\n }" + proxied + "}\nhandle {\nauthmin b {\n require admin /*\n }" + proxied + "}"},
	} {
		t.Run(a.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "Caddyfile")
			writeFile(t, file, a.text(), 0o600)
			findings, err := lint(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range findings {
				if !strings.Contains(f.text, "and this changes it for the upstream") { // of every rewrite
					t.Errorf("%s: %s in\n%s", f.at, f.text, a.text())
				}
			}
			if err := validate(t, a.text()); err != nil {
				t.Errorf("refused: %v", err)
			}
		})
	}
}
