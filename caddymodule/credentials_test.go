package caddymodule

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
)

const (
	keyOfUser = "X-Api-Key: " + tokenInfer
	keyOfBoss = "X-Api-Key: " + tokenAdmin
)

// keySite is a guard that reads X-Api-Key, and one that does not.
func keySite(up string) string {
	rules := "\t\tpublic /%[1]s/health\n\t\trequire infer /%[1]s/v1/*\n\t\trequire admin /%[1]s/admin\n\t\tupstream_token {env.TEST_UPSTREAM}\n\t\tallow_trailers /*\n"
	site := "\thandle /%[1]s/* {\n\t\tauthmin %[1]s {\n%[2]s" + rules + "\t\t}\n\t\treverse_proxy " + up + "\n\t}\n"
	return fmt.Sprintf(site, "both", "\t\t\tcredentials bearer x-api-key\n") + fmt.Sprintf(site, "bearer", "")
}

// One of the two headers, or both with one token; what else comes is refused as a
// malformed Authorization is.
func TestCredentialsOfBothHeaders(t *testing.T) {
	up := newUpstream(t, nil)
	g := serve(t, true, strings.Replace(twoTokens, "authmin {\n", "authmin {\n\t\tlockout off\n", 1), keySite(up.address()))
	for _, c := range []struct {
		name         string
		path         string
		fields       []string
		both, bearer int // the status at a guard that reads X-Api-Key, and at one that does not
	}{
		{"bearer", "v1/x", []string{asUser}, 200, 200},
		{"key", "v1/x", []string{keyOfUser}, 200, 401},
		{"key in lower case", "v1/x", []string{"x-api-key: " + tokenInfer}, 200, 401},
		{"the same in both", "v1/x", []string{asUser, keyOfUser}, 200, 200},
		{"two different", "v1/x", []string{asUser, keyOfBoss}, 401, 200},
		{"two different, the other way", "v1/x", []string{asBoss, keyOfUser}, 401, 200},
		{"an invalid key beside a valid token", "v1/x", []string{asUser, "X-Api-Key: nobody"}, 401, 200},
		{"an invalid token beside a valid key", "v1/x", []string{"Authorization: Bearer nobody", keyOfUser}, 401, 401},
		{"Basic beside a valid key", "v1/x", []string{"Authorization: Basic eDp5", keyOfUser}, 401, 401},
		{"unknown", "v1/x", []string{"X-Api-Key: nobody"}, 401, 401},
		{"empty", "v1/x", []string{"X-Api-Key: "}, 401, 401},
		{"empty beside a valid token", "v1/x", []string{asUser, "X-Api-Key: "}, 401, 200},
		{"with a scheme", "v1/x", []string{"X-Api-Key: Bearer " + tokenInfer}, 401, 401},
		{"repeated", "v1/x", []string{keyOfUser, keyOfUser}, 401, 401},
		{"without the scope", "admin", []string{keyOfUser}, 403, 401},
		{"with the scope", "admin", []string{keyOfBoss}, 200, 401},
		{"public", "health", []string{"X-Api-Key: nobody"}, 200, 200},
		{"public, with a token", "health", []string{keyOfUser}, 200, 200},
	} {
		for guard, want := range map[string]int{"both": c.both, "bearer": c.bearer} {
			for version, client := range clients(t) {
				answer, body := g.ask(t, client, "GET", "/"+guard+"/"+c.path, c.fields...)
				if answer.StatusCode != want {
					t.Errorf("%s, %s, %s: got %d, want %d: %s", c.name, guard, version, answer.StatusCode, want, body)
				}
				if want == 401 && guard == "both" && !strings.Contains(body, "X-Api-Key: TOKEN") {
					t.Errorf("%s: the hint does not name X-Api-Key: %s", c.name, body)
				}
				r := up.last()
				if (r != nil) != (want == 200) {
					t.Errorf("%s, %s: the upstream got %v", c.name, guard, r)
				}
				if r == nil {
					continue
				}
				expectNoToken(t, strings.ReplaceAll(fmt.Sprint(r.Header), "Bearer "+tokenUpstream, ""))
				if key := r.Header["X-Api-Key"]; key != nil && (guard == "both" || key[0] != "nobody" && key[0] != "") {
					t.Errorf("%s, %s: the upstream got X-Api-Key %q", c.name, guard, key)
				}
			}
		}
	}
}

// The records are those of a token in Authorization.
func TestTheTrailOfAnAPIKey(t *testing.T) {
	g := serve(t, false, twoTokens, "authmin {\n\tcredentials bearer x-api-key\n\trequire infer /*\n}\nrespond ok")
	for i, c := range []struct {
		fields                  []string
		reason, identity, token string
	}{
		{[]string{keyOfUser}, "", "token:" + digestOf(tokenInfer).Fingerprint(), "infer-user"},
		{[]string{keyOfUser, asUser}, "", "token:" + digestOf(tokenInfer).Fingerprint(), "infer-user"},
		{[]string{"X-Api-Key: nobody"}, "unknown", "token:" + digestOf("nobody").Fingerprint(), ""},
		{[]string{keyOfUser, asBoss}, "malformed", "anonymous", ""},
		{[]string{"X-Api-Key: "}, "malformed", "anonymous", ""},
		{nil, "missing", "anonymous", ""},
	} {
		g.ask(t, plainClient(), "GET", "/x", c.fields...)
		record := g.recordsOf(t, i+1)[i]
		if record["reason"] != c.reason || record["identity"] != c.identity || record["token"] != c.token {
			t.Errorf("%q: the record has %v", c.fields, record["line"])
		}
	}
}

// An X-Api-Key in the trailers is no credential, and does not reach the upstream of a
// guard that reads it in the header.
func TestAnAPIKeyInTrailersIsTakenOff(t *testing.T) {
	up := newUpstream(t, nil)
	g := serve(t, false, twoTokens, keySite(up.address()))
	for guard, want := range map[string]string{"both": "", "bearer": "unknown-key"} {
		r, err := http.NewRequest("POST", g.base+"/"+guard+"/v1/x", strings.NewReader("x"))
		if err != nil {
			t.Fatal(err)
		}
		r.ContentLength = -1
		r.Header.Set("Authorization", "Bearer "+tokenInfer)
		r.Trailer = http.Header{"X-Api-Key": {"unknown-key"}, "X-Sum": {"1"}}
		if answer, body := send(t, plainClient(), r); answer.StatusCode != http.StatusOK {
			t.Fatalf("%s: got %d %s", guard, answer.StatusCode, body)
		}
		if got := up.last().Trailer; got.Get("X-Sum") != "1" || got.Get("X-Api-Key") != want {
			t.Errorf("%s: the upstream got trailers %v, want X-Api-Key %q", guard, got, want)
		}
	}
}

// Whatever is in X-Api-Key, it is in no log of a guarded server: neither a configured
// token nor one that is too short to be recognized.
func TestNoLogShowsAnAPIKey(t *testing.T) {
	const short = "sk-canary-plain"
	for _, format := range []string{"authmin", "json", "console"} {
		up := newUpstream(t, nil)
		access := filepath.Join(t.TempDir(), "access")
		g := &gateway{format: format}
		g.start(t, false, "\tdebug\n"+twoTokens, "\tlog {\n\t\toutput file "+access+"\n\t\tformat "+format+"\n\t\tlevel DEBUG\n\t}\n"+keySite(up.address()))
		for _, guard := range []string{"both", "bearer"} {
			for _, path := range []string{"/v1/x", "/health", "/nothing"} {
				for _, fields := range [][]string{{keyOfUser}, {asUser, keyOfUser}, {asUser, keyOfBoss}, {"X-Api-Key: " + short}, {"X-Api-Key: " + short, asUser}} {
					g.ask(t, plainClient(), "GET", "/"+guard+path, fields...)
				}
			}
		}
		for _, file := range []string{access, g.log} {
			text := readFile(t, file)
			if !strings.Contains(text, "/both/v1/x") {
				t.Errorf("%s, %s: nothing is logged", format, filepath.Base(file))
			}
			for line := range strings.Lines(text) {
				expectNoToken(t, line)
			}
		}
	}
}

// A guard in the error routes judges the header as it came.
func TestAnAPIKeyInErrorRoutes(t *testing.T) {
	up := newUpstream(t, nil)
	g := serve(t, false, twoTokens, `
	authmin front {
		credentials bearer x-api-key
		require infer /v1/*
	}
	error 503
	handle_errors {
		authmin errors {
			credentials bearer x-api-key
			require infer /v1/*
		}
		reverse_proxy `+up.address()+`
	}`)
	if answer, body := g.ask(t, plainClient(), "GET", "/v1/x", keyOfUser); answer.StatusCode != http.StatusOK {
		t.Errorf("got %d %s", answer.StatusCode, body)
	}
	if r := up.last(); r == nil || r.Header["X-Api-Key"] != nil {
		t.Errorf("the upstream got %v", r)
	}
}

// The order of the words has no meaning, and neither a repeated word nor another one is
// a setting.
func TestTheWordsOfCredentials(t *testing.T) {
	for words, want := range map[string]string{
		"": "false", "bearer": "false", "bearer x-api-key": "true", "x-api-key bearer": "true", "x-api-key": "refused",
		"bearer bearer": "refused", "bearer x-api-key bearer": "refused", "Bearer X-Api-Key": "refused", "cookie": "refused",
	} {
		got := "refused"
		if reads, err := readsAPIKey(strings.Fields(words)); err == nil {
			got = fmt.Sprint(reads)
		}
		if got != want {
			t.Errorf("credentials %s: got %s, want %s", words, got, want)
		}
	}
}
