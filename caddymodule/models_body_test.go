package caddymodule

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// A held body is read as it came, whatever the reader asks for, and its memory is given
// back when it has been read, not when the answer ends.
func TestAHeldBodyIsReadAsItCame(t *testing.T) {
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		ended error
		rest  string
		want  string
		err   error
	}{
		"to its end":         {io.EOF, "", "onetwo", nil},
		"and what is left":   {nil, "three", "onetwothree", nil},
		"with how it breaks": {broken, "", "onetwo", broken},
	} {
		t.Run(name, func(t *testing.T) {
			given := 0
			b := &heldBody{pieces: [][]byte{[]byte("one"), []byte("two")}, rest: io.NopCloser(strings.NewReader(c.rest)),
				ended: c.ended, read: func() { given++ }}
			got, err := io.ReadAll(iotest.OneByteReader(b))
			if string(got) != c.want || !errors.Is(err, c.err) || given != 1 {
				t.Errorf("got %q (%v), memory given back %d times, want %q (%v) and once", got, err, given, c.want, c.err)
			}
		})
	}
}
