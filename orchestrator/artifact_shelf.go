package orchestrator

import (
	"log/slog"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// shelf is what one identity keeps, the oldest first.
type shelf struct {
	kept  []kept
	bytes int64
}

type kept struct {
	id      string
	size    int64
	created time.Time
}

// artifacts are kept on disk under their identity's and their content's digest;
// memory knows which there are, and how large. A replica writes one at a time for
// each identity.
type artifacts struct {
	bucket *store.Bucket
	log    *slog.Logger
	now    func() time.Time
	shared bool
	limit  int64 // of all bytes

	writing [artifactWriters]chan struct{} // by shelf; capacity 1: held over a write

	mu        mutex[lockArtifacts]
	shelves   map[string]*shelf        // by shelfOf an identity
	bytes     int64                    // of all shelves
	reserved  int64                    // of what is being written
	uncertain map[*uncertainWrite]bool // what was perhaps written
}

func newArtifacts(b *store.Bucket, log *slog.Logger, now func() time.Time) *artifacts {
	as := &artifacts{bucket: b, log: log, now: now, limit: maxArtifactBytes, shelves: map[string]*shelf{}, uncertain: map[*uncertainWrite]bool{}}
	for i := range as.writing {
		as.writing[i] = make(chan struct{}, 1)
	}
	return as
}

// shelfOf names an identity's shelf: an identity is no key.
func shelfOf(identity string) string { return keyOf("", identity)[:32] }

func artifactKey(shelf, id string) string { return shelf + "." + id }

// observe takes over which artifacts there are; the store does not send them.
func (as *artifacts) observe(e store.Entry) {
	name, id, ok := strings.Cut(e.Key, ".")
	if !ok {
		return
	}
	as.mu.Lock()
	defer as.mu.Unlock()
	if e.Deleted {
		as.drop(name, id)
		return
	}
	as.note(name, kept{id, e.Size, e.Created})
}

// note puts an artifact on its shelf. mu is held, in drop and has as well.
func (as *artifacts) note(name string, k kept) {
	s := as.shelves[name]
	if s == nil {
		s = &shelf{}
		as.shelves[name] = s
	}
	if as.has(name, k.id) {
		return
	}
	at := len(s.kept)
	for at > 0 && s.kept[at-1].created.After(k.created) {
		at--
	}
	s.kept = slices.Insert(s.kept, at, k)
	s.bytes += k.size
	as.bytes += k.size
}

// drop takes an artifact off its shelf.
func (as *artifacts) drop(name, id string) {
	s := as.shelves[name]
	if s == nil {
		return
	}
	at := slices.IndexFunc(s.kept, func(k kept) bool { return k.id == id })
	if at < 0 {
		return
	}
	s.bytes -= s.kept[at].size
	as.bytes -= s.kept[at].size
	if s.kept = slices.Delete(s.kept, at, at+1); len(s.kept) == 0 {
		delete(as.shelves, name)
	}
}

func (as *artifacts) has(name, id string) bool {
	s := as.shelves[name]
	return s != nil && slices.ContainsFunc(s.kept, func(k kept) bool { return k.id == id })
}

func (as *artifacts) all() (keys []string) {
	as.mu.Lock()
	defer as.mu.Unlock()
	for name, s := range as.shelves {
		for _, k := range s.kept {
			keys = append(keys, artifactKey(name, k.id))
		}
	}
	return keys
}
