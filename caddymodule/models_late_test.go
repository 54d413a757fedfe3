package caddymodule

import (
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// modelRing is a keyring file with one token, whose models change.
type modelRing struct{ path string }

// write gives the token these models; "" for every model.
func (k modelRing) write(t *testing.T, models string) {
	t.Helper()
	line := "few sha256:" + digestOf(tokenInfer).Hex() + " infer"
	if models != "" {
		line += " models=" + models
	}
	writeFile(t, k.path+".new", "# format 2\n"+line+"\n# end 1\n", 0o600)
	if err := os.Rename(k.path+".new", k.path); err != nil {
		t.Fatal(err)
	}
}

func (k modelRing) globals() string { return "\tauthmin {\n\t\ttoken_file " + k.path + "\n\t}\n" }

// A body may take a minute: what its token has lost meanwhile counts.
func TestATokenIsJudgedAgainWhenItsBodyIsThere(t *testing.T) {
	ring := modelRing{filepath.Join(t.TempDir(), "tokens")}
	ring.write(t, "tiny,big")
	up, last := echoed(t)
	g := serve(t, false, ring.globals(), modelSite(up))
	body, sender := io.Pipe()
	r, err := http.NewRequest(http.MethodPost, g.base+chatPath, body)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+tokenInfer)
	status := make(chan int, 1)
	go func() {
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			status <- 0
			return
		}
		answer.Body.Close()
		status <- answer.StatusCode
	}()
	if _, err := io.WriteString(sender, `{"model":"big"`); err != nil {
		t.Fatal(err)
	}
	ring.write(t, "tiny")
	testkit.Eventually(t, "the changed list", func() bool {
		status, _ := ask(t, g.base, tokenInfer, modelCase{method: http.MethodPost, target: chatPath, body: `{"model":"big"}`})
		last() // the echo keeps one request, and blocks at the next
		return status == http.StatusForbidden
	})
	if _, err := io.WriteString(sender, "}"); err != nil {
		t.Fatal(err)
	}
	sender.Close()
	select {
	case got := <-status:
		if got != http.StatusForbidden {
			t.Errorf("got %d, want 403", got)
		}
	case <-time.After(liveLimit):
		t.Fatal("no answer")
	}
	if _, models := last(); models != "no request" {
		t.Error("the upstream was asked")
	}
}

// The guard did not read the model of a stream that began before its token had a list.
func TestATokenThatGetsAListLosesItsStreams(t *testing.T) {
	ring := modelRing{filepath.Join(t.TempDir(), "tokens")}
	ring.write(t, "")
	s := &stream{}
	server := httptest.NewServer(s)
	t.Cleanup(server.Close)
	g := serve(t, false, ring.globals(), modelSite(&upstream{Server: server}))
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, g.base+"/v1/models", nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+tokenInfer)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	testkit.Eventually(t, "the stream", func() bool { return s.serving.Load() == 1 })
	ring.write(t, "tiny")
	testkit.Eventually(t, "the end of the stream", func() bool { return s.serving.Load() == 0 })
}
