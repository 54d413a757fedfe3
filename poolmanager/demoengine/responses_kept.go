package demoengine

import (
	"encoding/json"
	"net/http"
	"slices"
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
}

func (k kept) size() int {
	n := len(k.prompt) + len(k.answer)
	for _, item := range k.items {
		n += len(item)
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
func (e *engine) ofResponse(answer func(http.ResponseWriter, kept)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		k, ok := e.memory.find(r.PathValue("id"))
		if !ok {
			failWith(w, http.StatusNotFound, "response_not_found", "no response of that id is kept here")
			return
		}
		answer(w, k)
	}
}

func (e *engine) showResponse(w http.ResponseWriter, k kept) { reply(w, k.answer) }

func (e *engine) deleteResponse(w http.ResponseWriter, k kept) {
	e.memory.forget(k.id)
	reply(w, map[string]any{"id": k.id, "object": "response", "deleted": true})
}

func (e *engine) showInputItems(w http.ResponseWriter, k kept) {
	reply(w, map[string]any{"object": "list", "data": k.items, "has_more": false, "first_id": nil, "last_id": nil})
}

// cancelResponse refuses: nothing runs in the background here.
func (e *engine) cancelResponse(w http.ResponseWriter, _ kept) {
	failWith(w, http.StatusBadRequest, "invalid_value", "only a response that was made with background=true can be canceled")
}
