package adapter

import (
	"bytes"
	"context"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// reading gives all that a reader makes of a stream.
func reading(r *reader, body []byte) (pieces []string, result Result, failed string) {
	r.emit = func(text string) error { pieces = append(pieces, text); return nil }
	result, err := r.read(context.Background(), bytes.NewReader(body))
	return pieces, result, fmt.Sprint(err)
}

// A stream says the same whether its events are recognised or each is decoded.
func FuzzAlike(f *testing.F) {
	const chat = `data: {"id":"a","choices":[{"index":0,"delta":{"content":%s},"finish_reason":%s}]%s}` + "\n\n"
	seed := func(lines ...string) {
		for _, dialect := range []byte{0, 1, 2} {
			f.Add(dialect, []byte(strings.Join(lines, "")))
		}
	}
	plain := func(text string) string { return fmt.Sprintf(chat, text, "null", "") }
	seed(plain(`"a"`), plain(`" b"`), plain(`""`), plain(`"\n"`), plain(`"c","x":"d"`), fmt.Sprintf(chat, `"e"`, `"stop"`, ""), "data: [DONE]\n\n")
	seed(plain(`"id"`), plain(`"delta"`), plain(`"."`), plain(`null`), plain("\"\xff\""), plain("\"a\x00\""), fmt.Sprintf(chat, `""`, "null", `,"usage":{"completion_tokens":5}`))
	seed(`data: {"content":"a","stop":false}`+"\n\n", `data: {"content":"b","stop":false}`+"\n\n", `data: {"content":"c","stop":true,"tokens_predicted":9}`+"\n\n")
	const named = `data: {"choices":[{"delta":{"content":"m"}}],"model":%q}` + "\n\n"
	seed(fmt.Sprintf(named, "m"), fmt.Sprintf(named, "n"))
	seed(plain(`"x"`), `data: {"error":{"message":"x"}}`+"\n\n", plain(`"y"`))
	seed(`data: {"choices":[{"text":"a"}]}`+"\n", `data:{"choices":[{"text":"b"}]}`+"\n", `data: {"choices":[{"text":"a"},{"text":"b"}]}`+"\n")
	f.Fuzz(func(t *testing.T, dialect byte, body []byte) {
		each := &reader{chat: dialect%3 == 1, llama: dialect%3 == 2}
		all := *each
		all.alike.misses = maxMisses // it learns nothing
		pieces, result, failed := reading(each, body)
		wantPieces, want, wantFailed := reading(&all, body)
		if !slices.Equal(pieces, wantPieces) || !reflect.DeepEqual(result, want) || failed != wantFailed {
			t.Fatalf("%q:\nrecognised: %q %+v %s\ndecoded:    %q %+v %s", body, pieces, result, failed, wantPieces, want, wantFailed)
		}
	})
}

// What is not recognised is decoded, so only this shows that anything is.
func TestEventsThatAreAlikeAreRecognised(t *testing.T) {
	r := &reader{chat: true, emit: func(string) error { return nil }}
	event := func(text, id string) []byte {
		return fmt.Appendf(nil, `{"id":%q,"choices":[{"delta":{"content":%q}}]}`, id, text)
	}
	for _, first := range []string{"id", "hello"} { // the first stands twice in its event
		if _, err := r.line(append([]byte("data: "), event(first, "a")...)); err != nil {
			t.Fatal(err)
		}
	}
	if text, ok := r.alike.text(event(" world", "a")); !ok || text != " world" {
		t.Errorf("an event like the last but for its text: %q, %t", text, ok)
	}
	for name, other := range map[string][]byte{
		"another id":   event("x", "b"),
		"an escape":    event("\n", "a"),
		"two members":  bytes.Replace(event("x", "a"), []byte(`"x"`), []byte(`"x","y":"z"`), 1),
		"not UTF-8":    bytes.Replace(event("x", "a"), []byte("x"), []byte("\xff"), 1),
		"cut":          event("x", "a")[:10],
		"nothing":      nil,
		"a small part": []byte(`"`),
	} {
		if text, ok := r.alike.text(other); ok {
			t.Errorf("%s was taken for an event like the last, with text %q", name, text)
		}
	}
}
