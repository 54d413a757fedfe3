package caddymodule

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/llorch/gateway/integration/testkit"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// operatorsKey is a credential of the operator's for an upstream, which no keyring knows.
const operatorsKey = "engine-key-5d4c3b2a"

// leakySites are a guarded site whose proxy adds a credential, breaks off and is asked
// for what is not there, and a site without a guard.
func leakySites(up, open string) string {
	guarded := "\tauthmin {\n\t\trequire infer /v1/*\n\t\tpublic /open/*\n\t}\n" +
		"\thandle /v1/down* {\n\t\treverse_proxy 127.0.0.1:1 {\n\t\t\theader_up X-Api-Key {env.TEST_ENGINE_KEY}\n\t\t}\n\t}\n" +
		"\thandle /v1/rewritten* {\n\t\trewrite * /elsewhere?{query}\n\t\treverse_proxy " + up + "\n\t}\n" +
		"\thandle /v1/files* {\n\t\troot * /nowhere\n\t\tfile_server\n\t}\n" +
		"\thandle {\n\t\treverse_proxy " + up + " {\n\t\t\theader_up X-Api-Key {env.TEST_ENGINE_KEY}\n\t\t}\n\t}\n"
	return guarded + "}\nhttp://" + open + " {\n\tbind 127.0.0.1\n\treverse_proxy /down* 127.0.0.1:1\n\treverse_proxy " + up + "\n"
}

func TestNoLogOfTheProcessHoldsAToken(t *testing.T) {
	for _, format := range []string{"authmin", "json", "console", "filter {\n\t\t\twrap json\n\t\t\tfields {\n\t\t\t\tts delete\n\t\t\t}\n\t\t}"} {
		name, _, _ := strings.Cut(format, " ")
		t.Run(name, func(t *testing.T) {
			up := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Length", "100")
				_, _ = io.WriteString(w, "cut")
				_ = http.NewResponseController(w).Flush()
				panic(http.ErrAbortHandler)
			}))
			t.Cleanup(up.Close)
			open := testkit.FreeAddress(t)
			t.Setenv("TEST_ENGINE_KEY", operatorsKey)
			g := &gateway{format: format}
			second := filepath.Join(t.TempDir(), "second")
			g.start(t, false, "\tdebug\n\tlog second {\n\t\toutput file "+second+"\n\t\tformat "+format+"\n\t\tlevel DEBUG\n\t}\n"+leakyTokens(t), leakySites(up.Listener.Addr().String(), open))
			for _, base := range []string{g.base, "http://" + open} {
				for _, path := range []string{"/v1/x", "/v1/down", "/v1/rewritten", "/v1/files/x", "/open/x", "/down"} {
					for _, token := range []string{tokenInfer, slashed, uuid} {
						breakOff(t, base+path+"?k=sk-"+token, token)
						breakOff(t, base+path+"/"+token+"?a=b", token)
						breakOff(t, base+path, token)
					}
				}
			}
			for _, path := range []string{g.log, second} {
				text := readFile(t, path)
				for _, want := range []string{"reverse_proxy", "/v1/down"} {
					if !strings.Contains(text, want) {
						t.Errorf("%s says nothing of %s", filepath.Base(path), want)
					}
				}
				for line := range strings.Lines(text) {
					expectNoLeak(t, line)
					if strings.Contains(line, operatorsKey) {
						t.Errorf("%s: the operator's key is in %s", filepath.Base(path), line)
					}
				}
			}
		})
	}
}

// breakOff asks with a token in many wrong places, and once in the right one; the
// answer may break off.
func breakOff(t *testing.T, url, token string) {
	t.Helper()
	for _, credential := range []string{tokenInfer, ""} {
		r, err := http.NewRequest("GET", url, nil)
		if err != nil {
			t.Fatal(err)
		}
		for _, place := range wrongPlaces {
			name, value, _ := strings.Cut(place, ": ")
			if name != "Host" && !strings.Contains(name, "%s") && name != "Authorization" {
				r.Header.Set(name, fmt.Sprintf(value, "v1_"+token))
			}
		}
		if credential != "" {
			r.Header.Set("Authorization", "Bearer "+credential)
		}
		if answer, err := plainClient().Do(r); err == nil {
			_, _ = io.Copy(io.Discard, answer.Body)
			answer.Body.Close()
		}
	}
}

// The standard library's log goes through the shield, too, when something has put
// another output there.
func TestTheStandardLogHoldsNoToken(t *testing.T) {
	was := log.Writer()
	t.Cleanup(func() { log.SetOutput(was) })
	var text bytes.Buffer
	log.SetOutput(&text)
	g := serve(t, false, twoTokens, "authmin {\n\trequire infer /v1/*\n}\nrespond ok")
	testkit.Eventually(t, "the shield", func() bool { _, ok := log.Writer().(stdShield); return ok })
	log.Printf("http: panic serving %s: a token %s", g.address, "sk-"+tokenInfer)
	if got := text.String(); !strings.Contains(got, "a token sk-[redacted]\n") {
		t.Errorf("the log says %q", got)
	}
}

// A module that writes entries by itself gets them without tokens.
func TestAForeignCoreGetsNoToken(t *testing.T) {
	var seen []string
	foreign := zapcore.Core(recordingCore{&seen})
	g := serve(t, false, twoTokens, "authmin {\n\trequire infer /v1/*\n}\nrespond ok")
	tee := runningShield.Load().wrap(foreign)
	r, _ := http.NewRequest("GET", g.base+"/x?k="+tokenInfer, nil)
	r.RequestURI = r.URL.RequestURI()
	r.Header.Set("X-Api-Key", operatorsKey)
	zap.New(tee).With(zap.String("with", tokenInfer)).Info("message "+tokenInfer, zap.Error(fmt.Errorf("error %s", tokenInfer)),
		zap.Strings("list", []string{tokenInfer}), zap.Any("header", r.Header), zap.Object("request", loggable(r)), zap.Int("n", 1))
	text := strings.Join(seen, "\n")
	if expectNoToken(t, text); strings.Contains(text, operatorsKey) || !strings.Contains(text, "n=1") || !strings.Contains(text, "error [redacted]") {
		t.Errorf("the core got %s", text)
	}
}

// The fields of Caddy's that the shield needs are there; others are told apart.
func TestPrivateFieldsAreFoundByNameAndType(t *testing.T) {
	if _, ok := privateField[*caddy.Config](&caddy.Context{}, "cfg"); !ok {
		t.Error("the configuration is not found")
	}
	if _, ok := privateField[zapcore.Core](&caddy.BaseLog{}, "core"); !ok {
		t.Error("the core of a log is not found")
	}
	for name, found := range map[string]func() bool{
		"no such field": func() bool { _, ok := privateField[*caddy.Config](&caddy.Context{}, "nothing"); return ok },
		"another type":  func() bool { _, ok := privateField[string](&caddy.Context{}, "cfg"); return ok },
		"no pointer":    func() bool { _, ok := privateField[*caddy.Config](caddy.Context{}, "cfg"); return ok },
	} {
		if found() {
			t.Errorf("%s: found", name)
		}
	}
}

func loggable(r *http.Request) caddyhttp.LoggableHTTPRequest {
	return caddyhttp.LoggableHTTPRequest{Request: r}
}

// recordingCore notes what it is given.
type recordingCore struct{ seen *[]string }

func (recordingCore) Enabled(zapcore.Level) bool { return true }
func (recordingCore) Sync() error                { return nil }

func (c recordingCore) With(fields []zapcore.Field) zapcore.Core {
	_ = c.Write(zapcore.Entry{}, fields)
	return c
}

func (c recordingCore) Check(entry zapcore.Entry, checked *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	return checked.AddCore(entry, c)
}

func (c recordingCore) Write(entry zapcore.Entry, fields []zapcore.Field) error {
	printed := zapcore.NewMapObjectEncoder()
	for _, field := range fields {
		field.AddTo(printed)
	}
	text := entry.Message
	for key, value := range printed.Fields {
		text += fmt.Sprintf(" %s=%v", key, value)
	}
	*c.seen = append(*c.seen, text)
	return nil
}
