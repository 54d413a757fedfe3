package demoengine

import (
	"encoding/json"
	"io"
	"strings"
	"testing"
)

// got gives the status and body of a GET.
func got(t *testing.T, url string) (int, string) {
	t.Helper()
	response := do(t, t.Context(), "GET", url, testKey, "")
	all, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(all)
}

func TestAKeptResponseStreamsItsEventsAgain(t *testing.T) {
	base, _ := start(t, nil)
	stream := text(t, base, "/v1/responses", `{"input":"hi","max_output_tokens":5,"stream":true}`)
	first := eventsOf[struct{ Response response }](t, stream)[0]
	url := base + "/v1/responses/" + first.Response.ID + "?stream=true"
	if status, again := got(t, url); status != 200 || again != stream {
		t.Errorf("got %d %s\nwant %s", status, again, stream)
	}
	blocks := strings.SplitAfter(stream, "\n\n")
	if status, rest := got(t, url+"&starting_after=3"); status != 200 || rest != strings.Join(blocks[4:], "") {
		t.Errorf("after 3: got %d %s", status, rest)
	}
	for _, after := range []string{"-1", "x", "1000"} {
		if status, body := got(t, url+"&starting_after="+after); status != 400 || !strings.Contains(body, `"param":"starting_after"`) {
			t.Errorf("after %s: got %d %s, want 400", after, status, body)
		}
	}
	whole := decoded[response](t, text(t, base, "/v1/responses", `{"input":"hi","max_output_tokens":5}`))
	if _, again := got(t, base+"/v1/responses/"+whole.ID+"?stream=true"); len(names(again)) != len(names(stream)) {
		t.Errorf("of an answer that was not streamed: got %v, want the names of %v", names(again), names(stream))
	}
}

func TestEventsCountInWhatIsKept(t *testing.T) {
	one := kept{prompt: "a", answer: json.RawMessage("bb"), items: []json.RawMessage{[]byte("ccc")}, events: []namedEvent{{"x", []byte("dddd")}}}
	if got := one.size(); got != 10 {
		t.Errorf("got %d bytes, want 10", got)
	}
}

func TestInputItemsHavePages(t *testing.T) {
	base, _ := start(t, nil)
	kept := decoded[response](t, text(t, base, "/v1/responses", `{"max_output_tokens":1,"input":[{"role":"user","content":"m0"},{"role":"user","content":"m1"},{"role":"user","content":"m2"}]}`))
	id := func(n string) string { return "in_" + kept.ID + "_" + n }
	for query, want := range map[string]struct {
		ids  string
		more bool
	}{
		"":                                      {"2 1 0", false},
		"?order=asc":                            {"0 1 2", false},
		"?limit=2":                              {"2 1", true},
		"?limit=2&after=" + id("1"):             {"0", false},
		"?limit=1&order=asc&after=" + id("0"):   {"1", true},
		"?limit=100&order=asc&after=" + id("2"): {"", false},
	} {
		status, body := got(t, base+"/v1/responses/"+kept.ID+"/input_items"+query)
		list := decoded[struct {
			Data    []struct{ ID string }
			HasMore bool   `json:"has_more"`
			LastID  string `json:"last_id"`
		}](t, body)
		var ids []string
		for _, item := range list.Data {
			ids = append(ids, strings.TrimPrefix(item.ID, id("")))
		}
		if status != 200 || strings.Join(ids, " ") != want.ids || list.HasMore != want.more || len(ids) > 0 && list.LastID != id(ids[len(ids)-1]) {
			t.Errorf("%s: got %d %s, want %v", query, status, body, want)
		}
	}
	for query, name := range map[string]string{"limit=0": "limit", "limit=101": "limit", "limit=x": "limit", "order=up": "order", "after=none": "after"} {
		if status, body := got(t, base+"/v1/responses/"+kept.ID+"/input_items?"+query); status != 400 || !strings.Contains(body, `"param":"`+name+`"`) {
			t.Errorf("%s: got %d %s, want 400", query, status, body)
		}
	}
}
