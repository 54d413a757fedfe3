package caddymodule

import (
	"encoding/json"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/hashicorp/golang-lru/v2/simplelru"
	"github.com/llorch/gateway/authmin"
)

// Bounds of what is kept for the page: 2 MiB of records, and 60 counts for all
// identities and for each that reads.
const (
	watchedRecords = 512
	watchedSeconds = 60
	watchedTokens  = 4096
)

// Watch is what this process remembers for package page: the decisions of the last minute,
// the newest records of the audit trail, and when tokens were last seen. It is filled only
// while a configuration has a page, and it outlives a reload.
type Watch struct {
	mu      sync.Mutex
	records [watchedRecords]watchedRecord
	last    uint64 // number of the newest record; the first is 1
	all     series
	own     map[string]*followed // by the name of an identity that reads
	seen    *simplelru.LRU[tokenID, time.Time]
	usage   usageTable
	budgets budgetList
}

// watchedRecord is one record of the audit trail.
type watchedRecord struct {
	holder string // name of the token that was used, or that the record is about; "" for none
	line   json.RawMessage
}

// tokenID identifies a token: while a token is rotated, two have one name.
type tokenID struct{ name, fp6 string }

// followed are the decisions on the requests of one identity, counted while it reads.
type followed struct {
	series
	readers int
}

// Second counts the decisions of one second.
type Second struct {
	Unix    int64          `json:"t"`
	Allowed int            `json:"allowed"`
	Public  int            `json:"public"`
	Refused int            `json:"refused"`
	Shadow  int            `json:"would_deny"` // forwarded by a shadow guard or a shadow_budget
	Reasons map[string]int `json:"reasons,omitempty"`
}

// series has the last seconds, each at its number modulo the length.
type series [watchedSeconds]Second

func newWatch() (*Watch, error) {
	seen, err := simplelru.NewLRU[tokenID, time.Time](watchedTokens, nil)
	if err != nil {
		return nil, err
	}
	return &Watch{own: map[string]*followed{}, seen: seen}, nil
}

// decided counts one decision, and the reason of a refusal. A nil Watch counts nothing.
func (w *Watch) decided(d *authmin.Decision, label decisionLabel, reason authmin.Reason, now time.Time) {
	if w == nil {
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all.count(label, reason, now.Unix())
	if f := w.own[d.Name]; f != nil {
		f.count(label, reason, now.Unix())
	}
	if d.Token != nil && !d.Public {
		w.seen.Add(tokenID{d.Name, d.Fingerprint}, now)
	}
}

func (s *series) count(label decisionLabel, reason authmin.Reason, second int64) {
	at := &s[second%watchedSeconds]
	if at.Unix != second {
		*at = Second{Unix: second}
	}
	switch label {
	case labelledPublic:
		at.Public++
		return
	case labelledAllowed:
		at.Allowed++
		return
	case labelledShadow:
		at.Shadow++
	default:
		at.Refused++
	}
	if at.Reasons == nil {
		at.Reasons = map[string]int{}
	}
	at.Reasons[string(reason)]++
}

// add keeps a record of the audit trail.
func (w *Watch) add(holder string, line []byte) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	at := &w.records[w.last%watchedRecords]
	at.holder, at.line = holder, append(json.RawMessage(nil), line...)
}

// Follow counts the decisions on the requests of an identity until stop is called.
func (w *Watch) Follow(name string) (stop func()) {
	w.mu.Lock()
	defer w.mu.Unlock()
	f := w.own[name]
	if f == nil {
		f = new(followed)
		w.own[name] = f
	}
	f.readers++
	return func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		if f.readers--; f.readers == 0 {
			delete(w.own, name)
		}
	}
}

// Seconds returns the seconds that ended after the given one, the oldest first, at most
// the last minute. A second without a decision is left out. name is an identity that is
// followed, or "" for all requests.
func (w *Watch) Seconds(name string, after int64, now time.Time) []Second {
	w.mu.Lock()
	defer w.mu.Unlock()
	source := &w.all
	if name != "" {
		f := w.own[name]
		if f == nil {
			return nil
		}
		source = &f.series
	}
	var seconds []Second
	for second := max(after, now.Unix()-watchedSeconds) + 1; second < now.Unix(); second++ {
		if at := source[second%watchedSeconds]; at.Unix == second {
			at.Reasons = maps.Clone(at.Reasons)
			seconds = append(seconds, at)
		}
	}
	return seconds
}

// Records returns the newest records after the one with the given number, at most limit,
// the oldest first, and the number of the newest record. With a name it returns those of
// that token alone.
func (w *Watch) Records(name string, after uint64, limit int) (lines []json.RawMessage, newest uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	oldest := uint64(0)
	if w.last > watchedRecords {
		oldest = w.last - watchedRecords
	}
	for number := w.last; number > max(after, oldest) && len(lines) < limit; number-- {
		if at := &w.records[number%watchedRecords]; name == "" || at.holder == name {
			lines = append(lines, at.line)
		}
	}
	slices.Reverse(lines)
	return lines, w.last
}

// lastSeen returns when a token was last used; the zero time for one that was not used since
// the start, or that was evicted.
func (w *Watch) lastSeen(id tokenID) time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	at, _ := w.seen.Peek(id)
	return at
}
