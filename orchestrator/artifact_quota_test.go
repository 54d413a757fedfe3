package orchestrator

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

func TestTheLargestOwnersOldestArtifactsAreEvicted(t *testing.T) {
	now := time.Unix(0, 0)
	as := newArtifacts(openStore(t).Bucket(store.Artifacts), slog.New(slog.DiscardHandler), func() time.Time { now = now.Add(1); return now })
	put := func(identity, text string) string {
		t.Helper()
		a, err := as.put(t.Context(), Who{Identity: identity}, ArtifactRequest{Kind: "logs", Content: json.RawMessage(`"` + text + `"`)})
		if err != nil {
			t.Fatal(err)
		}
		return a.ID
	}
	as.limit = 32 << 20
	has := func(identity, id string) bool {
		_, err := as.get(t.Context(), Who{Identity: identity}, id)
		return err == nil
	}
	pad := strings.Repeat("x", 1<<20)
	small, first := put("ci", "small"), put("eve", "first")
	second := put("eve", "second")
	for i := 0; as.shelves[shelfOf("eve")].bytes+1<<20+300 < most(as.limit); i++ {
		put("eve", fmt.Sprint(i, pad))
	}
	if !has("eve", first) {
		t.Fatal("gone too early")
	}
	put("eve", "last"+pad)
	if has("eve", first) || has("eve", second) || !has("ci", small) {
		t.Error("want eve's oldest gone and nothing of ci's")
	}
	as.bytes = as.limit // as if a thousand others had some
	before := len(as.shelves[shelfOf("eve")].kept)
	put("ci", "one more")
	if len(as.shelves[shelfOf("eve")].kept) >= before || !has("ci", small) {
		t.Error("want the oldest of the largest holder gone")
	}
}

// shelves gives artifacts in a store, and what puts a text for an identity.
func shelves(t *testing.T, b *store.Bucket) (*artifacts, func(ctx context.Context, identity, text string) (Artifact, error)) {
	as := newArtifacts(b, slog.New(slog.DiscardHandler), time.Now)
	return as, func(ctx context.Context, identity, text string) (Artifact, error) {
		return as.put(ctx, Who{Identity: identity}, ArtifactRequest{Kind: "logs", Content: json.RawMessage(`"` + text + `"`)})
	}
}

// account complains when what memory counts is not what is there.
func (as *artifacts) account(t *testing.T) {
	t.Helper()
	as.mu.Lock()
	defer as.mu.Unlock()
	sum := int64(0)
	for _, s := range as.shelves {
		own := int64(0)
		for _, k := range s.kept {
			own += k.size
		}
		if own != s.bytes {
			t.Errorf("a shelf has %d bytes and counts %d", own, s.bytes)
		}
		sum += own
	}
	if sum != as.bytes || as.reserved != 0 || len(as.uncertain) != 0 {
		t.Errorf("%d bytes are there: got %d, %d reserved and %d in doubt", sum, as.bytes, as.reserved, len(as.uncertain))
	}
}

// TestASlowWriteIsWaitedForByItsIdentityAlone has one take as long as it likes.
func TestASlowWriteIsWaitedForByItsIdentityAlone(t *testing.T) {
	as, put := shelves(t, openStore(t).Bucket(store.Artifacts))
	done, err := as.lockShelf(t.Context(), shelfOf("slow"))
	if err != nil {
		t.Fatal(err)
	}
	other := ""
	for i := 0; other == "" || writerOf(shelfOf(other)) == writerOf(shelfOf("slow")); i++ {
		other = fmt.Sprint("other", i)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if _, err := put(ctx, other, "x"); err != nil {
		t.Errorf("another identity: %v", err)
	}
	left, leave := context.WithCancel(t.Context())
	leave()
	if _, err := put(left, "slow", "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("one who does not wait any more: got %v", err)
	}
	done()
	if _, err := put(ctx, "slow", "x"); err != nil {
		t.Errorf("after it: %v", err)
	}
	as.account(t)
}

// TestBytesReservedForAWriteAreNotReservedTwice asks for the last free bytes twice.
func TestBytesReservedForAWriteAreNotReservedTwice(t *testing.T) {
	as, put := shelves(t, openStore(t).Bucket(store.Artifacts))
	if _, err := put(t.Context(), "rich", "x"); err != nil {
		t.Fatal(err)
	}
	as.bytes = as.limit - 100 // as if there were a thousand others
	if from, _ := as.surplus(shelfOf("ci"), 60); from != "" {
		t.Errorf("there is room, but %q has to make some", from)
	}
	if from, _ := as.surplus(shelfOf("eve"), 60); from != shelfOf("rich") {
		t.Errorf("got %q, want the one who has the most", from)
	}
}

func TestManyWritersAtOnceAreCountedRight(t *testing.T) {
	as, put := shelves(t, openStore(t).Bucket(store.Artifacts))
	var all sync.WaitGroup
	for i := range 64 {
		all.Go(func() {
			for j := range 4 { // each text comes from two of the same identity
				if _, err := put(t.Context(), fmt.Sprint("identity", i/2), fmt.Sprint(j)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	as.account(t)
	if len(as.shelves) != 32 || len(as.all()) != 32*4 {
		t.Errorf("got %d shelves with %d artifacts, want 32 with 128", len(as.shelves), len(as.all()))
	}
}

// TestAWriteInDoubtKeepsItsRoomUntilItIsKnown loses the store in the middle of a
// write, once before and once after it was stored.
func TestAWriteInDoubtKeepsItsRoomUntilItIsKnown(t *testing.T) {
	st := openStore(t)
	view, cut, err := st.View(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { view.Close() })
	for name, stored := range map[string]bool{"not stored": false, "stored": true} {
		t.Run(name, func(t *testing.T) {
			as, put := shelves(t, view.Bucket(store.Artifacts))
			cut(true)
			ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if _, err := put(ctx, "ci", name); err == nil {
				t.Fatal("it was written without a store")
			}
			if len(as.uncertain) != 1 || as.reserved == 0 {
				t.Errorf("%d writes are in doubt and %d bytes reserved, want one with its room", len(as.uncertain), as.reserved)
			}
			ctx, cancel = context.WithTimeout(t.Context(), 200*time.Millisecond)
			defer cancel()
			if _, err := put(ctx, "eve", name); err == nil || len(as.uncertain) != 1 {
				t.Errorf("got %v and %d in doubt, want nothing written until it is known", err, len(as.uncertain))
			}
			if stored {
				_, other := shelves(t, st.Bucket(store.Artifacts))
				if _, err := other(t.Context(), "ci", name); err != nil {
					t.Fatal(err)
				}
			}
			cut(false)
			testkit.Eventually(t, "the store is back", func() bool { _, err := put(t.Context(), "eve", name); return err == nil })
			as.account(t)
			if got := as.shelves[shelfOf("ci")] != nil; got != stored {
				t.Errorf("on the shelf: %v, want %v", got, stored)
			}
		})
	}
}

// TestAnArtifactThatIsGoneIsKeptAnew: an artifact that is evicted while it is sent
// again, and one that another replica has stored just now.
func TestAnArtifactThatIsGoneIsKeptAnew(t *testing.T) {
	b := openStore(t).Bucket(store.Artifacts)
	as, put := shelves(t, b)
	a, err := put(t.Context(), "ci", "x")
	if err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(t.Context(), artifactKey(shelfOf("ci"), a.ID)); err != nil {
		t.Fatal(err)
	}
	old := as.shelves[shelfOf("ci")].kept[0]
	if again, err := put(t.Context(), "ci", "x"); err != nil || !as.shelves[shelfOf("ci")].kept[0].created.Equal(again.CreatedAt) {
		t.Errorf("sent again: %v, and it is from %v", err, as.shelves[shelfOf("ci")].kept[0].created)
	}
	as.removed(shelfOf("ci"), old) // who made room says so only now
	late, again := shelves(t, b)
	if _, err := again(t.Context(), "ci", "x"); err != nil {
		t.Errorf("kept elsewhere: %v", err)
	}
	for _, as := range []*artifacts{as, late} {
		as.account(t)
		if _, err := as.get(t.Context(), Who{Identity: "ci"}, a.ID); err != nil {
			t.Errorf("reading it: %v", err)
		}
	}
}
