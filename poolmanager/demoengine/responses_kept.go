package demoengine

import (
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"sync"
)

const (
	// maxKept and maxKeptBytes bound the responses that can be read again; the oldest
	// go first.
	maxKept      = 256
	maxKeptBytes = 16 << 20
)

// kept is a response as it can be read again.
type kept struct {
	id     string
	prompt string // with its answer, for the next turn
	answer json.RawMessage
	items  []json.RawMessage
	events []namedEvent // of its stream
}

func (k kept) size() int {
	n := len(k.prompt) + len(k.answer)
	for _, item := range k.items {
		n += len(item)
	}
	for _, event := range k.events {
		n += len(event.data)
	}
	return n
}

// memory keeps responses.
type memory struct {
	mu    sync.Mutex
	list  []kept // the oldest first
	bytes int
}

func (m *memory) keep(id string, k kept) {
	m.mu.Lock()
	defer m.mu.Unlock()
	k.id = id
	m.list, m.bytes = append(m.list, k), m.bytes+k.size()
	for len(m.list) > maxKept || m.bytes > maxKeptBytes {
		m.bytes -= m.list[0].size()
		m.list = slices.Delete(m.list, 0, 1)
	}
}

func (m *memory) find(id string) (kept, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	at := slices.IndexFunc(m.list, func(k kept) bool { return k.id == id })
	if at < 0 {
		return kept{}, false
	}
	return m.list[at], true
}

// prompt is what was said up to a response; nothing was before none.
func (m *memory) prompt(id string) (text string, known bool) {
	if id == "" {
		return "", true
	}
	k, known := m.find(id)
	return k.prompt, known
}

func (m *memory) forget(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	before := len(m.list)
	m.list = slices.DeleteFunc(m.list, func(k kept) bool {
		if k.id == id {
			m.bytes -= k.size()
		}
		return k.id == id
	})
	return len(m.list) < before
}

// ofResponse gives a handler the response that the path names.
func (e *engine) ofResponse(answer func(http.ResponseWriter, *http.Request, kept)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		k, ok := e.memory.find(r.PathValue("id"))
		if !ok {
			failWith(w, http.StatusNotFound, "response_not_found", "no response of that id is kept here")
			return
		}
		answer(w, r, k)
	}
}

// showResponse gives the answer, or, with stream=true, its events after starting_after.
func (e *engine) showResponse(w http.ResponseWriter, r *http.Request, k kept) {
	query := r.URL.Query()
	if query.Get("stream") != "true" {
		reply(w, k.answer)
		return
	}
	first := 0
	if text := query.Get("starting_after"); text != "" {
		after, err := strconv.Atoi(text)
		if err != nil || after < 0 || after >= len(k.events) {
			failValue(w, "starting_after", "starting_after: want the sequence_number of an event of this response")
			return
		}
		first = after + 1
	}
	out := newEventWriter(w)
	for _, event := range k.events[first:] {
		if out.named(event.name, event.data) != nil {
			return
		}
	}
}

func (e *engine) deleteResponse(w http.ResponseWriter, _ *http.Request, k kept) {
	e.memory.forget(k.id)
	reply(w, map[string]any{"id": k.id, "object": "response", "deleted": true})
}

// cancelResponse refuses: nothing runs in the background here.
func (e *engine) cancelResponse(w http.ResponseWriter, _ *http.Request, _ kept) {
	failWith(w, http.StatusBadRequest, "invalid_value", "only a response that was made with background=true can be canceled")
}
