package clients_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/llorch/gateway/integration/testkit"
)

// piece is one event of a stream.
type piece struct{ ID, Event, Data string }

// open sends a streamed call.
func (s site) open(t *testing.T, path, body string, header ...string) *http.Response {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), "POST", s.base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+s.user)
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if res.StatusCode != 200 {
		text, _ := io.ReadAll(res.Body)
		t.Fatalf("got %d %s", res.StatusCode, text)
	}
	return res
}

// replay sends a call again that has ended, until the replica that takes it has read its end.
func (s site) replay(t *testing.T, path, body, key string) (res *http.Response) {
	t.Helper()
	testkit.Eventually(t, "an answer that is marked as replayed", func() bool {
		res = s.open(t, path, body, "Idempotency-Key", key)
		return res.Header.Get("X-Task-Replayed") == "true"
	})
	return res
}

// pieces reads events, at most so many; 0: all.
func pieces(t *testing.T, body io.Reader, most int) (all []piece) {
	t.Helper()
	lines := bufio.NewScanner(body)
	lines.Buffer(nil, 1<<20)
	var p piece
	for lines.Scan() {
		name, value, _ := strings.Cut(lines.Text(), ": ")
		switch name {
		case "id":
			p.ID = value
		case "event":
			p.Event = value
		case "data":
			p.Data += value
		case "":
			if p != (piece{}) {
				all = append(all, p)
			}
			p = piece{}
			if most > 0 && len(all) == most {
				return all
			}
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatalf("reading: %v", err)
	}
	return all
}

// calls are streams of every kind that has events with ids: text, and deltas of a tool.
func calls(t *testing.T) map[string]string {
	t.Helper()
	schema, err := json.Marshal(weather)
	if err != nil {
		t.Fatal(err)
	}
	return map[string]string{
		"/v1/completions":      `{"model":"demo","prompt":"x","stream":true}`,
		"/v1/responses":        `{"model":"demo","input":"x","stream":true}`,
		"/v1/chat/completions": fmt.Sprintf(`{"model":"demo","stream":true,"messages":[{"role":"user","content":"x"}],"tools":[{"type":"function","function":{"name":"weather","parameters":%s}}]}`, schema),
		"/v1/messages":         fmt.Sprintf(`{"model":"demo","max_tokens":99,"stream":true,"messages":[{"role":"user","content":"x"}],"tools":[{"name":"weather","input_schema":%s}]}`, schema),
	}
}

// resumed reads some events, hangs up and sends the call again with its key.
func resumed(t *testing.T, s site) {
	for path, body := range calls(t) {
		for _, p := range pieces(t, s.open(t, path, body).Body, 0) {
			if p.ID != "" {
				t.Errorf("%s: an event has an id without a key: %+v", path, p)
			}
		}
		key := authRandom()
		res := s.open(t, path, body, "Idempotency-Key", key)
		got := pieces(t, res.Body, 5)
		res.Body.Close()
		res = s.open(t, path, body, "Idempotency-Key", key, "Last-Event-ID", got[len(got)-1].ID)
		got = append(got, pieces(t, res.Body, 0)...)
		for i, p := range got[:len(got)-1] { // the proper end is sent again and again
			if p.ID == "" {
				t.Errorf("%s: event %d has no id: %+v", path, i, p)
			}
		}
		whole := pieces(t, s.replay(t, path, body, key).Body, 0)
		if diff := cmp.Diff(whole, got); diff != "" || len(got) < 7 {
			t.Errorf("%s: (-without a pause +with one):\n%s", path, diff)
		}
	}
}

// resumedAtEvents reads the same stream at the task's own route.
func resumedAtEvents(t *testing.T, s site) {
	const path = "/v1/chat/completions"
	body := calls(t)[path]
	plain := pieces(t, s.open(t, path, body).Body, 0)
	res := s.open(t, path, body, "Idempotency-Key", authRandom())
	got := pieces(t, res.Body, 5)
	res.Body.Close()
	events, err := s.admin.As(s.user).Stream("/v2/tasks/"+res.Header.Get("X-Task-Id")+"/events", "Last-Event-ID: "+got[4].ID)
	if err != nil {
		t.Fatal(err)
	}
	all, err := events.All()
	if err != nil {
		t.Fatal(err)
	}
	for _, ev := range all {
		if ev.Type != "chunk" {
			continue
		}
		var p piece
		if err := json.Unmarshal([]byte(ev.Data), &p); err != nil {
			t.Fatalf("%q: %v", ev.Data, err)
		}
		got = append(got, p)
	}
	for i := range got {
		got[i].ID = ""
	}
	if diff := cmp.Diff(plain, got); diff != "" {
		t.Errorf("(-without a pause +with one):\n%s", diff)
	}
}

// lines reads an answer of Ollama's, at most so many lines; 0: all.
func lines(t *testing.T, body io.Reader, most int) (all []string) {
	t.Helper()
	scan := bufio.NewScanner(body)
	scan.Buffer(nil, 1<<20)
	for scan.Scan() {
		if all = append(all, scan.Text()); most > 0 && len(all) == most {
			return all
		}
	}
	if err := scan.Err(); err != nil {
		t.Fatalf("reading: %v", err)
	}
	return all
}

// resumedLines: nothing is added to an answer of lines, so an event's id is the number
// of its line.
func resumedLines(t *testing.T, s site) {
	for path, body := range map[string]string{
		"/api/chat":     `{"model":"demo","messages":[{"role":"user","content":"x"}]}`,
		"/api/generate": `{"model":"demo","prompt":"x"}`,
	} {
		key := authRandom()
		res := s.open(t, path, body, "Idempotency-Key", key)
		got := lines(t, res.Body, 5)
		res.Body.Close()
		res = s.open(t, path, body, "Idempotency-Key", key, "Last-Event-ID", "5")
		got = append(got, lines(t, res.Body, 0)...)
		plain := lines(t, s.replay(t, path, body, key).Body, 0)
		if diff := cmp.Diff(plain, got); diff != "" || len(got) < 10 {
			t.Errorf("%s: (-without a pause +with one):\n%s", path, diff)
		}
	}
}
