package store_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/orchestrator/store"
)

// TestADirectoryIsOfOneKind: JetStream deletes what the cluster does not know.
func TestADirectoryIsOfOneKind(t *testing.T) {
	t.Parallel()
	r := newReplicas(t, 3)
	single := t.TempDir()
	st := open(t, single)
	if err := st.Bucket(store.Tasks).Put(t.Context(), "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	st.Close()
	before := tree(t, single)
	refuse := func(o store.Options) {
		t.Helper()
		_, err := store.Open(t.Context(), o)
		if !errors.Is(err, store.ErrOtherLayout) || !strings.Contains(err.Error(), "orchestratord migrate") {
			t.Errorf("got %v, want ErrOtherLayout", err)
		}
	}
	refuse(store.Options{Dir: single, Cluster: r.options[0].Cluster})
	if err := os.Remove(filepath.Join(single, "layout.json")); err != nil { // as an older version left it
		t.Fatal(err)
	}
	refuse(store.Options{Dir: single, Cluster: r.options[0].Cluster})
	if after := tree(t, single); after != strings.ReplaceAll(before, "layout.json\n", "") {
		t.Errorf("the directory was touched:\n%s\n%s", before, after)
	}
	open(t, single).Close()

	r.open(0, 1, 2)
	r.close()
	refuse(store.Options{Dir: r.options[0].Dir})
	renamed := *r.options[0].Cluster
	renamed.Replica = "renamed"
	refuse(store.Options{Dir: r.options[0].Dir, Cluster: &renamed})
}

func tree(t *testing.T, dir string) string {
	t.Helper()
	var names strings.Builder
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if d.Type().IsRegular() {
			names.WriteString(filepath.Base(path) + "\n")
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names.String()
}
