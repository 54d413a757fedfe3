package traces_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// within is how long an export may take; it is asked for every 100 ms.
const within = 20 * time.Second

func start(t *testing.T, c *collector) *gatewaytest.Up {
	t.Helper()
	return gatewaytest.StartUp(t, []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + c.URL, "OTEL_BSP_SCHEDULE_DELAY=100",
		"OTEL_EXPORTER_OTLP_HEADERS=authorization=Bearer%20" + canary("collector"),
		"LLORCH_API_TOKEN=" + canary("client"),
	})
}

// canary is a token that no export may have; it is the same each time.
func canary(name string) string { return "canary-" + name + "-0123456789abcdefghijklmnop" }

const (
	traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	parent  = "00f067aa0ba902b7"
)

// chain is the span of each part, each the parent of the next.
var chain = []struct{ service, name string }{
	{"", "gateway"}, // Caddy names its service after the program
	{"llorch-orchestrator", ""},
	{"llorch-orchestrator", "dispatch"},
	{"llorch-poolmanager", "POST /pools/{id}/"}, // dispatch, or a native call
	{"llorch-poolmanager", "engine POST "},
}

// TestATraceGoesFromTheGatewayToTheEngine sends requests that belong to a trace,
// with everything in them that must not be exported.
func TestATraceGoesFromTheGatewayToTheEngine(t *testing.T) {
	c := newCollector(t)
	up := start(t, c)
	for name, call := range map[string]struct{ path, body string }{
		"POST /v2/tasks":            {"/v2/tasks", `{"model_ref":"demo","prompt":"` + canary("prompt") + `","max_tokens":2}`},
		"POST /v1/chat/completions": {"/v1/chat/completions", `{"model":"demo","stream":true,"messages":[{"role":"user","content":"` + canary("message") + `"}],"max_tokens":2}`},
		"POST /v1/embeddings":       {"/v1/embeddings", `{"model":"demo","input":"` + canary("input") + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			id := strings.ReplaceAll(fmt.Sprintf("%x", authmin.NewSecret(name).Fingerprint()), "-", "") + traceID
			id = id[:32]
			res, err := up.Do("POST", call.path+"?q="+canary("query"), call.body,
				"Traceparent: 00-"+id+"-"+parent+"-01", "Tracestate: vendor="+canary("tracestate"),
				"Baggage: token="+canary("baggage"), "X-Header: "+canary("header"), "Cookie: s="+canary("cookie"))
			if err != nil || res.Status/100 != 2 {
				t.Fatalf("got %d %s, %v", res.Status, res.Body, err)
			}
			testkit.Within(t, within, "the whole trace", func() error { return whole(c.of(id), name) })
		})
	}
	if err := up.Stop(); err != nil {
		t.Error(err)
	}
	exported, spans := c.all()
	if spans == 0 {
		t.Fatal("nothing was exported")
	}
	// Caddy exports its part of the tracestate with its span, which W3C asks for.
	exported = bytes.ReplaceAll(exported, []byte("vendor="+canary("tracestate")), nil)
	if at := bytes.Index(exported, []byte("canary-")); at >= 0 {
		t.Errorf("exported: …%q…", exported[max(0, at-80):min(len(exported), at+60)])
	}
}

// whole looks for the chain: one span of each part, rightly parented.
func whole(spans []span, request string) error {
	above := parent
	for _, want := range chain {
		if want.name == "" {
			want.name = request
		}
		at := slices.IndexFunc(spans, func(s span) bool {
			return s.Parent == above && strings.HasPrefix(s.Name, want.name) && (want.service == "" || s.Service == want.service)
		})
		if at < 0 {
			return fmt.Errorf("no span %q of %q under %s in %+v", want.name, want.service, above, spans)
		}
		if want.name == "dispatch" {
			if err := named(spans[at].Attributes); err != nil {
				return err
			}
		}
		above = spans[at].ID
	}
	return nil
}

// named looks for what the conventions for generative AI call the call, each attribute
// under its present name and under the one before it.
func named(got map[string]string) error {
	for now, before := range map[string]string{
		"gen_ai.provider.name": "gen_ai.system", "gen_ai.usage.input_tokens": "gen_ai.usage.prompt_tokens",
		"gen_ai.usage.output_tokens": "gen_ai.usage.completion_tokens", "gen_ai.request.model": "gen_ai.response.model",
	} {
		if got[now] == "" || got[now] != got[before] {
			return fmt.Errorf("%s is %q and %s is %q, want the same", now, got[now], before, got[before])
		}
	}
	if operation := strings.TrimSuffix(got["gen_ai.operation.name"], "0"); !slices.Contains([]string{"text_completion", "chat", "embeddings"}, operation) { // the collector adds the value of a number
		return fmt.Errorf("gen_ai.operation.name is %q", got["gen_ai.operation.name"])
	}
	return nil
}

// TestAStrangersTraceIsBounded sends what a stranger may put into the headers.
func TestAStrangersTraceIsBounded(t *testing.T) {
	c := newCollector(t)
	up := start(t, c)
	unsampled := strings.Repeat("5", 32)
	for _, header := range []string{
		"Traceparent: 00-" + unsampled + "-" + parent + "-00", "Traceparent: garbage",
		"Traceparent: 00-" + strings.Repeat("0", 32) + "-" + parent + "-01",
		"Traceparent: " + strings.Repeat("00-", 1_000), "Tracestate: " + strings.Repeat("a=b,", 1_000), "Baggage: " + strings.Repeat("a=b,", 1_000),
	} {
		res, err := up.Do("POST", "/v2/tasks", `{"model_ref":"demo","prompt":"x","max_tokens":1}`, header)
		if err != nil || res.Status != 202 {
			t.Errorf("%.60s: got %d %s, %v", header, res.Status, res.Body, err)
		}
	}
	// Refused by the guard: not traced at all.
	refused := strings.Repeat("6", 32)
	if res, err := up.As("").Do("POST", "/v2/tasks", `{}`, "Traceparent: 00-"+refused+"-"+parent+"-01"); err != nil || res.Status != 401 {
		t.Errorf("without a token: got %d, %v", res.Status, err)
	}
	marker := strings.Repeat("7", 32)
	if _, err := up.Do("POST", "/v2/tasks", `{"model_ref":"demo","prompt":"x","max_tokens":1}`, "Traceparent: 00-"+marker+"-"+parent+"-01"); err != nil {
		t.Fatal(err)
	}
	testkit.Within(t, within, "a later trace", func() error { return whole(c.of(marker), "POST /v2/tasks") })
	for _, id := range []string{unsampled, refused} {
		if spans := c.of(id); len(spans) > 0 {
			t.Errorf("exported of %s: %+v", id, spans)
		}
	}
}

// TestACollectorThatIsNotThereCostsALogLine has one whose port has no listener.
func TestACollectorThatIsNotThereCostsALogLine(t *testing.T) {
	gone := testkit.FreeAddress(t)
	up := gatewaytest.StartUp(t, []string{"OTEL_EXPORTER_OTLP_ENDPOINT=http://" + gone, "OTEL_BSP_SCHEDULE_DELAY=50"})
	const line = "does not take spans"
	testkit.Within(t, within, "the line", func() error {
		if res, err := up.Do("POST", "/v1/completions", `{"model":"demo","prompt":"x","max_tokens":1}`); err != nil || res.Status != 200 {
			return fmt.Errorf("got %d %s, %v", res.Status, res.Body, err)
		}
		log, err := os.ReadFile(filepath.Join(up.Dir, "llorch.log"))
		if err == nil && bytes.Count(log, []byte(line)) < 2 { // orchestrator and pool manager
			err = errors.New("not in the log")
		}
		return err
	})
	log, _ := os.ReadFile(filepath.Join(up.Dir, "llorch.log"))
	if n := bytes.Count(log, []byte(line)); n != 2 {
		t.Errorf("%d lines, want one each of orchestrator and pool manager", n)
	}
}
