package caddymodule

import (
	"errors"
	"net/http"
	"regexp"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/llorch/gateway/integration/testkit"
	"go.uber.org/goleak"
)

// An app's life leaves no goroutine; nor does one that ends before its Start.
func TestAppLeavesNothingBehind(t *testing.T) {
	here := goleak.IgnoreCurrent()
	for _, starts := range []bool{true, false, true} {
		app, err := provisionApp(t, `{"tokens":[{"name":"a","source":"{env.TEST_INFER}","scopes":["infer"]}]}`)
		if err != nil {
			t.Fatal(err)
		}
		if starts {
			err = app.Start()
		}
		if err := errors.Join(err, app.Stop(), app.Cleanup()); err != nil {
			t.Error(err)
		}
	}
	goleak.VerifyNone(t, here)
}

// A configuration that is refused leaves nothing, wherever it is refused.
func TestRefusedConfigurationLeavesNothingBehind(t *testing.T) {
	here := goleak.IgnoreCurrent()
	for _, config := range []string{
		options(silent, "\tauthmin\n") + ":8080 {\n\tauthmin\n}\n",
		options(silent, "\tauthmin {\n\t\ttoken a {env.NOT_SET_AT_ALL} infer\n\t}\n") + "http://x:8080 {\n\tbind 127.0.0.1\n\tauthmin\n}\n",
		options(silent, twoTokens) + "http://x:8080 {\n\tbind 127.0.0.1\n\tauthmin\n\troute {\n\t\tauthmin\n\t}\n}\n",
	} {
		if err := validate(t, config); err == nil {
			t.Error("accepted")
		}
	}
	goleak.VerifyNone(t, here)
}

// A taken port is found when the app has started already: it is stopped again.
func TestFailedStartLeavesNothingBehind(t *testing.T) {
	g := serve(t, false, twoTokens, "authmin {\n\trequire infer /*\n}\nrespond ok")
	taken := newUpstream(t, nil)
	other := &gateway{address: taken.address(), site: "http://" + taken.address(), log: g.log}
	before := ours()
	if err := other.tryLoad(t, twoTokens, "authmin {\n\trequire infer /*\n}\nrespond ok"); err == nil {
		t.Fatal("a taken port was bound")
	}
	testkit.Eventually(t, "the refused configuration to end", func() bool { return ours() <= before })
	if answer, _ := g.ask(t, plainClient(), "GET", "/x", asUser); answer.StatusCode != http.StatusOK {
		t.Errorf("the old configuration answers %d", answer.StatusCode)
	}
	if err := caddy.Stop(); err != nil {
		t.Error(err)
	}
	testkit.Eventually(t, "the gateway to end", func() bool { return ours() == 0 })
}

// createdHere is in the stack of a goroutine that this module started.
var createdHere = regexp.MustCompile(`created by github\.com/llorch/gateway/caddymodule(/trail)?\.\(\*`)

// ours counts the goroutines that this module started.
func ours() int {
	stacks := make([]byte, 1<<22)
	stacks = stacks[:runtime.Stack(stacks, true)]
	n := 0
	for stack := range strings.SplitSeq(string(stacks), "\n\n") {
		if createdHere.MatchString(stack) {
			n++
		}
	}
	return n
}

// Requests that come while configurations change are all decided, by the old one
// or by the new.
func TestReloadUnderLoad(t *testing.T) {
	policy := "authmin busy {\n\trequire infer /v1/*\n\tlimit 1000000 1m\n}\nrespond ok"
	g := serve(t, false, twoTokens, policy)
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			client := plainClient()
			for {
				select {
				case <-stop:
					return
				default:
				}
				for credential, want := range map[string]int{tokenInfer: http.StatusOK, "": http.StatusUnauthorized} {
					r, _ := http.NewRequest("GET", g.base+"/v1/x", nil)
					if credential != "" {
						r.Header.Set("Authorization", "Bearer "+credential)
					}
					answer, err := client.Do(r)
					if err != nil {
						continue // Caddy drops what waits in the old socket's queue
					}
					answer.Body.Close()
					if answer.StatusCode != want {
						t.Errorf("while reloading: got %d, want %d", answer.StatusCode, want)
					}
				}
			}
		})
	}
	for range 10 {
		g.load(t, twoTokens, policy)
	}
	close(stop)
	load.Wait()
	if log := readFile(t, g.log); strings.Contains(log, "panic") {
		t.Errorf("a panic while reloading: %.2000s", log[strings.Index(log, "panic"):])
	}
}
