package caddymodule

import (
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Where clients put tokens by mistake. %s is the token.
var wrongPlaces = []string{
	"X-Api-Key: %s", "Cookie: session=%s", "Proxy-Authorization: Bearer %s", "Sec-Websocket-Protocol: bearer, %s",
	"User-Agent: agent/%s", "Referer: http://127.0.0.1/?t=%s", "Host: %s.example", "X-Forwarded-For: %s", "Api-Key: %s",
	"Authorization: Basic %s", "Origin: http://%s", "X-%s: 1", "X_%s: 1",
}

// No log holds one, whatever its format and level, of whatever module.
func TestLogsHoldNoTokenInTheWrongPlace(t *testing.T) {
	for format, global := range map[string]string{"authmin": "\tdebug\n", "json": "\tdebug\n", "console": "\tdebug\n"} {
		t.Run(format, func(t *testing.T) { logsHoldNoToken(t, format, global) })
	}
}

func logsHoldNoToken(t *testing.T, format, global string) {
	const canary = "canary-plain-7f3a9c1e5b2d4860718293a4b5c6d7e8"
	up := newUpstream(t, nil)
	access := filepath.Join(t.TempDir(), "access")
	site := "\tlog {\n\t\toutput file " + access + "\n\t\tformat " + format + "\n\t\tlevel DEBUG\n\t}\n" +
		"\tauthmin {\n\t\tpublic /open/* /down/*\n\t\trequire infer /v1/*\n\t}\n" +
		"\thandle /down/* {\n\t\treverse_proxy 127.0.0.1:1\n\t}\n\thandle {\n\t\treverse_proxy " + up.address() + "\n\t}\n"
	g := &gateway{format: format}
	g.start(t, false, global+twoTokens, site)

	for _, target := range []string{"/v1/x?access_token=" + canary, "/down/x?api_key=" + canary, "/open/x?api_key=" + canary, "/open/" + canary + "?x=" + canary} {
		g.ask(t, plainClient(), "GET", target, asUser)
		for _, place := range wrongPlaces {
			g.ask(t, plainClient(), http.MethodPost, target, strings.Replace(place, "%s", canary, 1))
		}
	}
	for _, path := range []string{access, g.log} {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(string(text), "/down/x") {
			t.Errorf("%s does not even name the paths", filepath.Base(path))
		}
		for line := range strings.Lines(string(text)) {
			line = strings.ToLower(line) // a field's name is written in other letters
			if strings.Contains(line, "canary-plain") || strings.Contains(line, "canary-infer") || strings.Contains(line, canary[len(canary)-12:]) {
				t.Errorf("%s: a token in %s", filepath.Base(path), line)
			}
		}
	}
}

func TestTheFormatWrapsAnother(t *testing.T) {
	config := func(format string) string {
		return "{\n" + quiet + "\tlog {\n\t\toutput discard\n\t\tformat " + format + "\n\t}\n}\n"
	}
	for _, good := range []string{"authmin", "authmin {\n\t\t\twrap console\n\t\t}"} {
		if err := validate(t, config(good)); err != nil {
			t.Errorf("format %s: %v", good, err)
		}
	}
	for _, bad := range []string{"authmin json", "authmin {\n\t\t\twrap\n\t\t}", "authmin {\n\t\t\twrap nothing\n\t\t}"} {
		if _, err := adapt("Caddyfile", config(bad)); err == nil {
			t.Errorf("format %s: accepted", bad)
		}
	}
}

func TestCredentialsAreNotLoggedOnRequest(t *testing.T) {
	const site = "http://:8080 {\n\tbind 127.0.0.1\n\tauthmin\n\trespond ok\n}\n"
	expectRefused(t, validate(t, options(silent, "\tservers {\n\t\tlog_credentials\n\t}\n")+site), "log_credentials", "remove it")
	if err := validate(t, options(silent, "\tservers {\n\t\tlog_credentials\n\t}\n")+"http://:8080 {\n\trespond ok\n}\n"); err != nil {
		t.Errorf("without a guard: %v", err)
	}
}
