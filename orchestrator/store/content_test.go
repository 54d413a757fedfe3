package store_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"github.com/llorch/gateway/orchestrator/store"
)

func TestPiecesAreThereAfterARestart(t *testing.T) {
	dir := t.TempDir()
	st, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	large := bytes.Repeat([]byte("x"), store.MaxPieceBytes)
	for _, id := range []string{"a", "b"} {
		for n, piece := range [][]byte{large, []byte("the rest")} {
			if err := st.Content().Put(t.Context(), id, n, piece); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := st.Content().Put(t.Context(), "a", 2, append(large, 'x')); err == nil {
		t.Error("a piece over the limit was taken")
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	c := open(t, dir).Content()
	if piece, err := c.Piece(t.Context(), "a", 0); err != nil || !bytes.Equal(piece, large) {
		t.Errorf("piece 0: %d bytes, %v", len(piece), err)
	}
	if piece, err := c.Piece(t.Context(), "a", 1); err != nil || string(piece) != "the rest" {
		t.Errorf("piece 1: got %q, %v", piece, err)
	}
	if err := c.Forget(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	for n := range 2 {
		if _, err := c.Piece(t.Context(), "a", n); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("piece %d of a removed body: got %v, want %v", n, err, store.ErrNotFound)
		}
	}
	if ids, err := c.IDs(t.Context()); err != nil || !slices.Equal(ids, []string{"b"}) {
		t.Errorf("bodies: got %v, %v, want b", ids, err)
	}
}

func TestBodiesHaveABound(t *testing.T) {
	st, err := store.Open(t.Context(), store.Options{Dir: t.TempDir(), ContentBytes: 2 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	piece := make([]byte, store.MaxPieceBytes)
	for n := 0; err == nil && n < 10; n++ {
		err = st.Content().Put(t.Context(), "a", n, piece)
	}
	if !errors.Is(err, store.ErrFull) {
		t.Fatalf("5 MiB into 2: got %v, want %v", err, store.ErrFull)
	}
	if err := st.Content().Forget(t.Context(), "a"); err != nil {
		t.Fatal(err)
	}
	if err := st.Content().Put(t.Context(), "b", 0, piece); err != nil {
		t.Errorf("after the removal: %v", err)
	}
}

// TestTheBoundOfTheBodiesCanBeLowered: what the server has reserved at the last start is
// more than the whole store has then.
func TestTheBoundOfTheBodiesCanBeLowered(t *testing.T) {
	dir := t.TempDir()
	for _, bound := range []int64{20 << 30, 0, 256 << 20, 256 << 20, 1 << 30} {
		st, err := store.Open(t.Context(), store.Options{Dir: dir, ContentBytes: bound})
		if err != nil {
			t.Fatalf("bound %d: %v", bound, err)
		}
		if err := st.Content().Put(t.Context(), "a", 0, []byte("x")); err != nil {
			t.Errorf("bound %d: %v", bound, err)
		}
		if err := st.Close(); err != nil {
			t.Fatal(err)
		}
	}
}
