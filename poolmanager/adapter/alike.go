package adapter

import (
	"bytes"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// maxAlike bounds an event that is remembered; those with text have a few
	// hundred bytes.
	maxAlike = 4 << 10
	// maxMisses is after how many events in a row that were not like the one
	// before a stream counts as one whose events count something.
	maxMisses = 4
)

// alike remembers an event of a stream but for its text. The events of most
// engines are alike in everything else, and to decode what was decoded already
// takes several times as long as to see that it is the same.
type alike struct {
	before, after []byte
	misses        int
}

// text gives the text of an event that differs from the remembered one in
// nothing else.
func (a *alike) text(event []byte) (text string, ok bool) {
	middle, before := bytes.CutPrefix(event, a.before)
	middle, after := bytes.CutSuffix(middle, a.after)
	if len(a.before) == 0 || !before || !after || !nodeapi.Plain(middle) {
		return "", false
	}
	a.misses = 0
	return string(middle), true
}

// learn remembers an event that says this text and nothing else. Where the text
// stands is proven: decode has to find another one there.
func (a *alike) learn(event []byte, text string, decode func([]byte) (string, bool)) {
	at := bytes.LastIndex(event, []byte(`"`+text+`"`)) + 1
	if text == "" || at == 0 || len(event) > maxAlike || a.misses >= maxMisses {
		return
	}
	a.misses++
	before, after := event[:at], event[at+len(text):]
	probe := text + "."
	if got, ok := decode(bytes.Join([][]byte{before, after}, []byte(probe))); ok && got == probe {
		a.before, a.after = bytes.Clone(before), bytes.Clone(after)
	}
}
