package adapter

import (
	"bytes"
	"encoding/json"
	"slices"
	"unicode/utf8"

	"github.com/llorch/gateway/authmin/jsonbody"
)

// edit replaces the bytes [start, end) of a document.
type edit struct {
	start, end int
	by         []byte
}

// apply appends the document with the edits, which are in order and apart.
func apply(dst, document []byte, edits []edit) []byte {
	at := 0
	for _, e := range edits {
		dst = append(append(dst, document[at:e.start]...), e.by...)
		at = e.end
	}
	return append(dst, document[at:]...)
}

// quoted is a text as JSON; nil for an empty one.
func quoted(text string) []byte {
	if text == "" {
		return nil
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	if encoder.Encode(text) != nil { // a text always is JSON
		return nil
	}
	return bytes.TrimSpace(out.Bytes())
}

// without is the edit that takes a member out of its object: its name, its value, and
// the comma that it no longer needs.
func without(document []byte, m jsonbody.Member) edit {
	start, end := int(m.Start), int(m.End)
	start = bytes.LastIndexByte(document[:start], ':')
	start = bytes.LastIndexByte(document[:start], '"')
	start = bytes.LastIndexByte(document[:start], '"')
	before := bytes.TrimRight(document[:start], " \t\r\n")
	if before[len(before)-1] == ',' {
		return edit{start: len(before) - 1, end: end}
	}
	after := bytes.TrimLeft(document[end:], " \t\r\n")
	if len(after) > 0 && after[0] == ',' {
		end = len(document) - len(after) + 1
	}
	return edit{start: start, end: end}
}

// models are the members that name the model in answers of any protocol.
var models = []string{"model", "response.model", "message.model"}

// answerScanner looks for what is read in an answer. It is copied for each.
var answerScanner = jsonbody.New(jsonbody.Options{Watch: append([]string{"usage", "error"}, models...)})

// edits is what is to be changed in the document that was scanned last.
func (r *callReader) edits(document []byte) (all []edit) {
	if r.model != nil {
		for _, path := range models {
			if m, ok := r.scan.Member(path); ok && m.Kind == jsonbody.String {
				all = append(all, edit{int(m.Start), int(m.End), r.model})
			}
		}
	}
	if m, ok := r.scan.Member("usage"); ok && r.call.HideUsage {
		all = append(all, without(document, m))
	}
	return inOrder(all)
}

// inOrder sorts a few edits by their place.
func inOrder(all []edit) []edit {
	for i := 1; i < len(all); i++ {
		for j := i; j > 0 && all[j].start < all[j-1].start; j-- {
			all[j], all[j-1] = all[j-1], all[j]
		}
	}
	return all
}

// scanned reads a document with the scanner. What only the scanner refuses, such as
// half of a surrogate pair, passes: it is the engine's, and JSON.
func (r *callReader) scanned(document []byte) (edits []edit, object bool) {
	r.scan.Reset()
	_, err := r.scan.Write(document)
	if err == nil {
		err = r.scan.Close()
	}
	if err == nil {
		return r.edits(document), true
	}
	if !isObject(document) || !utf8.Valid(document) || !json.Valid(document) {
		return nil, false
	}
	return apart(inOrder(r.editsDecoded(document, 0, true))), true
}

// editsDecoded is edits for a document that the scanner refuses. It begins at an offset
// of the whole.
func (r *callReader) editsDecoded(document []byte, offset int, top bool) (all []edit) {
	decoder := json.NewDecoder(bytes.NewReader(document))
	if token, err := decoder.Token(); err != nil || token != json.Delim('{') {
		return nil
	}
	for decoder.More() {
		name, err := decoder.Token()
		var value json.RawMessage
		if err != nil || decoder.Decode(&value) != nil {
			return all
		}
		end := int(decoder.InputOffset())
		start := end - len(value)
		switch {
		case name == "model" && r.model != nil && value[0] == '"':
			all = append(all, edit{offset + start, offset + end, r.model})
		case name == "usage" && top && r.call.HideUsage:
			all = append(all, without(document, jsonbody.Member{Start: int64(start), End: int64(end)}))
		case (name == "response" || name == "message") && top && value[0] == '{':
			all = append(all, r.editsDecoded(value, start, false)...)
		}
	}
	return all
}

// apart leaves out an edit that begins within the one before it.
func apart(all []edit) []edit {
	at := 0
	return slices.DeleteFunc(all, func(e edit) bool {
		within := e.start < at
		at = max(at, e.end)
		return within
	})
}
