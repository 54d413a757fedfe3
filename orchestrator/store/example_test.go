package store_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/llorch/gateway/orchestrator/store"
)

// A write that returns a revision is on disk. An update names the revision that it
// was made from, and fails when another write came first.
func Example() {
	dir, err := os.MkdirTemp("", "store-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	st, err := store.Open(ctx, store.Options{Dir: dir})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer st.Close()

	tasks := st.Bucket(store.Tasks)
	first, err := tasks.Create(ctx, "task-1", []byte("queued"))
	if err != nil {
		fmt.Println(err)
		return
	}
	if _, err := tasks.Update(ctx, "task-1", []byte("running"), first); err != nil {
		fmt.Println(err)
		return
	}
	_, err = tasks.Update(ctx, "task-1", []byte("canceled"), first)
	fmt.Println("update from an old revision:", errors.Is(err, store.ErrConflict))
	entry, err := tasks.Get(ctx, "task-1")
	fmt.Printf("%s %v\n", entry.Value, err)
	_, err = tasks.Get(ctx, "task-2")
	fmt.Println("another key:", errors.Is(err, store.ErrNotFound))
	// Output:
	// update from an old revision: true
	// running <nil>
	// another key: true
}
