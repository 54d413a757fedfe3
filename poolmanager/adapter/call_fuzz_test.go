package adapter

import (
	"errors"
	"strings"
	"testing"
	"testing/iotest"
	"unicode/utf8"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// FuzzCallAnswer reads a stream three ways: as it is, byte by byte, and without
// remembering what events were like. The client gets the same.
func FuzzCallAnswer(f *testing.F) {
	operations := []string{"chat", "completions", "responses", "messages", "ollama-chat"}
	for _, c := range streamed {
		for i, name := range operations {
			if name == c.operation {
				f.Add(i, c.sent)
			}
		}
	}
	f.Add(0, strings.Repeat("data: "+okChat+"\n\n", 3)+"data: "+strings.ReplaceAll(okChat, `"a"`, `"\u00fc\ud800"`)+"\n\n")
	f.Fuzz(func(t *testing.T, at int, sent string) {
		operation := operations[max(at, -at)%len(operations)]
		kind := mediaEvents
		if operation == "ollama-chat" {
			kind = mediaLines
		}
		kinds, data, end, err := readCall(t, operation, true, kind, strings.NewReader(sent), nil)
		if !utf8.ValidString(data) {
			t.Errorf("%q: the client gets %q", sent, data)
		}
		for i, c := range kinds {
			head, last := c == 'H', c == 'L'
			if head != (i == 0) || last && (err != nil || i != len(kinds)-1) {
				t.Errorf("%q: frames %s, %v", sent, kinds, err)
			}
		}
		if err == nil && !strings.HasSuffix(kinds, "L") {
			t.Errorf("%q: frames %s without an error", sent, kinds)
		}
		same := func(how, data2 string, end2 nodeapi.CallEnd, err2 error) {
			t.Helper()
			one, _ := errors.AsType[*Error](err)
			two, _ := errors.AsType[*Error](err2)
			if data != data2 || end != end2 || (one == nil) != (two == nil) || one != nil && one.Class != two.Class {
				t.Errorf("%q: %s gives\n%q %+v %v\nwant\n%q %+v %v", sent, how, data2, end2, err2, data, end, err)
			}
		}
		_, data2, end2, err2 := readCall(t, operation, true, kind, iotest.OneByteReader(strings.NewReader(sent)), nil)
		same("byte by byte", data2, end2, err2)
		_, data2, end2, err2 = readCall(t, operation, true, kind, strings.NewReader(sent), func(r *callReader) { r.shapes.unused = maxUnused })
		same("decoding each event", data2, end2, err2)
	})
}
