package page

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
)

// Whatever comes instead of a task's stream, a reader gets whole events of the page's own
// kinds, with nothing but their members.
func FuzzTaskEvents(f *testing.F) {
	for _, seed := range []string{events, "", "\n\n", "data: {}\n\n", "event: end\n\n", "event: end\ndata: {\ndata: }\n\n", "event:error\ndata:{\"code\":1}\r\n\r\n", "event: gap\ndata: {\"from\":1e400}\n\n:\n\n", "event: started\ndata: null\n\nevent: token"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		w := httptest.NewRecorder()
		filter := &eventFilter{stream: open(w, httptest.NewRequest(http.MethodGet, livePath, nil), time.Minute, always)}
		if err := filter.copy(strings.NewReader(body)); err == nil {
			t.Error("it went on after the end")
		}
		for part := range strings.SplitSeq(strings.TrimSuffix(w.Body.String(), "\n\n"), "\n\n") {
			if part == "" || part == ":" {
				continue
			}
			kind, data, _ := strings.Cut(part, "\n")
			switch kind {
			case "event: task":
				var e taskEvent
				if err := strict(strings.TrimPrefix(data, "data: "), &e); err != nil || !slices.Contains(shownEvents, e.Event) {
					t.Errorf("%v in %q", err, part)
				}
			case "event: progress":
				if err := strict(strings.TrimPrefix(data, "data: "), new(progress)); err != nil {
					t.Errorf("%v in %q", err, part)
				}
			default:
				t.Errorf("an event of another kind: %q", part)
			}
		}
	})
}

func strict(text string, into any) error {
	d := json.NewDecoder(strings.NewReader(text))
	d.DisallowUnknownFields()
	return d.Decode(into)
}
