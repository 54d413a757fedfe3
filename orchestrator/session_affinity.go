package orchestrator

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"time"

	lru "github.com/hashicorp/golang-lru/v2"

	"github.com/llorch/gateway/authmin/jsonbody"
)

// Clients say in headers and members which of their conversations a call belongs to.
// Calls of one conversation go to the pool of the one before, which may have its KV
// cache: that is all it is used for. It is never an identity, and means something only
// within the identity that sent it.

const (
	// maxAttribution bounds what is read as one, in bytes; what is longer is ignored.
	maxAttribution = 256
	// maxConversations and maxConversing bound what is remembered: conversations of one
	// identity, and identities. The oldest are forgotten.
	maxConversations = 256
	maxConversing    = 512
	// affinityTTL is that of sessions: by then the cache has other things.
	affinityTTL = 10 * time.Minute
)

// attributing are the headers and members that name a conversation, the most exact first.
var (
	attributingHeaders = []string{"X-Claude-Code-Session-Id", "X-Openwebui-Chat-Id", "X-Session-Id"}
	attributingMembers = []string{"session_id", "prompt_cache_key", "user"}
)

// attribution gives the header or member that names the call's conversation, with its
// value, as a name that is bounded and does not repeat it; "" for none. It is in the task's
// record, outside of what is encrypted. The owner is the key of the hash, so that the same
// value of two identities cannot be seen to be the same there.
func attribution(owner string, h http.Header, scan *jsonbody.Scanner) string {
	named := func(source, value string) string {
		mac := hmac.New(sha256.New, []byte(owner))
		mac.Write([]byte(source + "\x00" + value))
		return hex.EncodeToString(mac.Sum(nil)[:16])
	}
	for _, name := range attributingHeaders {
		if value := h.Get(name); value != "" && len(value) <= maxAttribution {
			return named(name, value)
		}
	}
	if scan == nil {
		return ""
	}
	for _, name := range attributingMembers {
		if m, ok := scan.Member(name); ok {
			if value, isText := m.Text(); isText && value != "" && len(value) <= maxAttribution {
				return named(name, value)
			}
		}
	}
	return ""
}

// conversation is where a call of one ran last.
type conversation struct {
	pool string // as poolKey
	at   time.Time
}

// affinity remembers where conversations ran, by identity. It is the scheduler's alone,
// under its lock; another leader begins without it.
type affinity struct {
	owners *lru.Cache[string, *lru.Cache[string, conversation]]
}

func newAffinity() *affinity {
	owners, err := lru.New[string, *lru.Cache[string, conversation]](maxConversing)
	if err != nil {
		panic(err) // its size is a constant
	}
	return &affinity{owners}
}

// home is the pool where the conversation ran last with the model; "" for none.
func (a *affinity) home(owner string, n Needs, now time.Time) string {
	all, ok := a.owners.Get(owner)
	if !ok || n.Attribution == "" {
		return ""
	}
	c, ok := all.Get(n.Attribution + n.Model)
	if !ok || now.Sub(c.at) >= affinityTTL {
		return ""
	}
	return c.pool
}

// ran notes where a call of the conversation runs.
func (a *affinity) ran(owner string, n Needs, pool string, now time.Time) {
	if n.Attribution == "" {
		return
	}
	all, ok := a.owners.Get(owner)
	if !ok {
		all, _ = lru.New[string, conversation](maxConversations) // its size is a constant
		a.owners.Add(owner, all)
	}
	all.Add(n.Attribution+n.Model, conversation{pool, now})
}
