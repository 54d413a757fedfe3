package store

import (
	"bytes"
	"testing"
)

// TestACopyTakesTheKeysAndBodiesOfTasksAdmittedMeanwhile: without them the records that are
// copied afterwards could not be read.
func TestACopyTakesTheKeysAndBodiesOfTasksAdmittedMeanwhile(t *testing.T) {
	ctx := t.Context()
	var stores [2]*Store
	for i := range stores {
		var err error
		if stores[i], err = Open(ctx, Options{Dir: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { stores[i].Close() })
	}
	from, to := stores[0], stores[1]
	const body = "01900000-0000-7000-8000-000000000001"
	var name string
	_, err := copyWhile(ctx, from, to, func() (err error) {
		if name, err = from.Keys().New(ctx); err != nil { // of a batch that was not there before
			return err
		}
		return from.Content().Put(ctx, body, 0, []byte("piece"))
	})
	if err != nil {
		t.Fatal(err)
	}
	want, err := from.Keys().Key(ctx, name)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := to.Keys().Key(ctx, name); err != nil || !bytes.Equal(got, want) {
		t.Errorf("the key: got %d bytes, %v", len(got), err)
	}
	if got, err := to.Content().Piece(ctx, body, 0); err != nil || string(got) != "piece" {
		t.Errorf("the body: got %q, %v", got, err)
	}
}
