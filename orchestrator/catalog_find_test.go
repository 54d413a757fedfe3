package orchestrator

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// TestAModelThatOnlyTheStoreHasIsFound asks a replica that has not yet heard of
// a model, with the store there and away.
func TestAModelThatOnlyTheStoreHasIsFound(t *testing.T) {
	t.Parallel()
	view, cut, err := openStore(t).View(t.Context(), "a")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { view.Close() })
	o := newWith(t, Config{Store: view})
	ctx, root := t.Context(), Who{Identity: "root", Admin: true}
	for id, f := range map[string]func(ctx context.Context, id string) error{
		"read":     func(_ context.Context, id string) error { _, err := o.CatalogModel(id); return err },
		"verified": func(ctx context.Context, id string) error { _, err := o.VerifyModel(ctx, id); return err },
		"retired": func(ctx context.Context, id string) error {
			_, err := o.SetModelState(ctx, id, ModelRetired, 0)
			return err
		},
		"asked-for": func(ctx context.Context, id string) error {
			_, err := o.Submit(ctx, ci, TaskRequest{ModelRef: id, Prompt: "x"}, "")
			return err
		},
		"removed": func(ctx context.Context, id string) error { return o.RemoveModel(ctx, id) },
	} {
		t.Run(id, func(t *testing.T) {
			unheard := func() {
				o.catalog.mu.Lock()
				defer o.catalog.mu.Unlock()
				o.catalog.drop(modelKey(id))
			}
			if err := f(ctx, id); err == nil || !strings.Contains(err.Error(), "MODEL_NOT_") {
				t.Errorf("one that is nowhere: got %v", err)
			}
			if _, err := o.AddModel(ctx, root, ModelRequest{ID: id, Digest: "sha256:" + strings.Repeat("0", 64), SourceURL: "file:m"}); err != nil {
				t.Fatal(err)
			}
			cut(true)
			testkit.Eventually(t, "the store is away", func() bool { // after the last news from it
				unheard()
				short, cancel := context.WithTimeout(ctx, 200*time.Millisecond)
				defer cancel()
				return errors.Is(f(short, id), store.ErrUnavailable)
			})
			cut(false)
			testkit.Eventually(t, "the store is back", func() bool {
				return !errors.Is(view.Bucket(store.Catalog).Delete(ctx, "nothing"), store.ErrUnavailable)
			})
			unheard()
			if err := f(ctx, id); err != nil {
				t.Errorf("got %v", err)
			}
		})
	}
}
