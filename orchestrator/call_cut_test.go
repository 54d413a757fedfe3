package orchestrator

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"
)

// cut is a body that is cut after what it has.
type cut struct{ io.Reader }

func (c cut) Read(p []byte) (int, error) {
	n, err := c.Reader.Read(p)
	if errors.Is(err, io.EOF) {
		err = io.ErrUnexpectedEOF
	}
	return n, err
}

// TestABodyThatIsCutIsNoRequest wherever that is, even where what came is valid JSON;
// nothing of it is kept, and the identity's share is given back.
func TestABodyThatIsCutIsNoRequest(t *testing.T) {
	o := callTaker(t, Settings{}, time.Now)
	text := func(n int) string {
		begin := `{"model":"m","x":"`
		return begin + strings.Repeat("x", n-len(begin)-3) + `"} `
	}
	for name, n := range map[string]int{
		"small": 100, "at the end of what is inline": inlineBytes, "after the first byte of pieces": inlineBytes + 1,
		"within a piece": pieceBytes + 1000, "between two pieces": 2 * pieceBytes,
	} {
		_, err := o.SubmitCall(t.Context(), ci, CallRequest{Operation: chatOperation, Body: cut{strings.NewReader(text(n))}})
		if !errors.Is(err, io.ErrUnexpectedEOF) {
			t.Errorf("%s: got %v, want %v", name, err, io.ErrUnexpectedEOF)
		}
		if got := bodiesOf(t, o); len(got) != 0 {
			t.Errorf("%s: pieces are left: %v", name, got)
		}
		if held, uploads := o.content.held.Total(), o.content.uploads.Total(); held != 0 || uploads != 0 {
			t.Errorf("%s: held are %d bytes and %d uploads", name, held, uploads)
		}
		if all := o.tasks.visible(Who{Admin: true}, ""); len(all) != 0 {
			t.Errorf("%s: it became a task", name)
		}
		if _, err := o.SubmitCall(t.Context(), ci, CallRequest{Operation: chatOperation, Body: strings.NewReader(text(n))}); err != nil {
			t.Errorf("%s, whole: %v", name, err)
		}
		for _, task := range o.tasks.visible(Who{Admin: true}, "") {
			if err := o.Cancel(t.Context(), ci, task.TaskID); err != nil {
				t.Fatal(err)
			}
			if err := o.forget(task.TaskID); err != nil {
				t.Fatal(err)
			}
		}
	}
}
