package orchestrator

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

func TestTheOldestArtifactsOfWhoeverHasTooMuchMakeRoom(t *testing.T) {
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
	has := func(identity, id string) bool {
		_, err := as.get(t.Context(), Who{Identity: identity}, id)
		return err == nil
	}
	pad := strings.Repeat("x", 1<<20)
	small, first := put("ci", "small"), put("eve", "first")
	second := put("eve", "second")
	for i := 0; as.shelves[shelfOf("eve")].bytes+1<<20+300 < maxArtifactBytesEach; i++ {
		put("eve", fmt.Sprint(i, pad))
	}
	if !has("eve", first) {
		t.Fatal("gone too early")
	}
	put("eve", "last"+pad)
	if has("eve", first) || has("eve", second) || !has("ci", small) {
		t.Error("want eve's oldest gone and nothing of ci's")
	}
	as.bytes = maxArtifactBytes // as if a thousand others had some
	before := len(as.shelves[shelfOf("eve")].kept)
	put("ci", "one more")
	if len(as.shelves[shelfOf("eve")].kept) >= before || !has("ci", small) {
		t.Error("want the oldest of the largest holder gone")
	}
}
