package page

import (
	"net/http"
	"sync"

	"github.com/llorch/gateway/authmin"
)

// maxReaders bounds the streams that are open, of all pages of this process: each asks
// the orchestrator every two seconds. A page has one, and one more while it shows the
// events of a task.
const maxReaders = 64

// readers counts the open streams by identity. A tenth of them is kept for identities
// that have less than a tenth.
type readers struct {
	mu   sync.Mutex
	most int
	all  int
	own  map[string]int
}

// allReaders outlives a reload, as the streams do.
var allReaders = newReaders(maxReaders)

func newReaders(most int) *readers { return &readers{most: most, own: map[string]int{}} }

// enter takes a place for a stream of an identity. ok is false if there is none.
func (r *readers) enter(name string) (leave func(), ok bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	tenth := r.most / 10
	if r.all >= r.most || r.all >= r.most-tenth && r.own[name] >= tenth {
		return nil, false
	}
	r.all++
	r.own[name]++
	return func() { r.leave(name) }, true
}

func (r *readers) leave(name string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.all--
	if r.own[name]--; r.own[name] == 0 {
		delete(r.own, name)
	}
}

var problemReaders = authmin.Problem{
	Status: http.StatusTooManyRequests, Code: "TOO_MANY_READERS", CodeNumber: 42970,
	Title: "Too many pages are open, or too many of yours", Hint: "Close some, and try again.",
}
