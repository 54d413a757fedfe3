// Package houserules_test holds the rules of the house that can be checked by
// a machine: how files look, that what is exported is documented, that no
// secret is compared the wrong way, that the examples and the commands in the
// documents work. The layers have a test of their own at the root. It is no
// place for tests of behaviour.
package houserules_test

import (
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"testing"

	"github.com/llorch/gateway/integration/gatewaytest"
)

func TestMain(m *testing.M) { os.Exit(gatewaytest.Run(m)) }

// root is the folder of go.mod.
func root(t *testing.T) string {
	t.Helper()
	dir, err := gatewaytest.Root()
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// eachFile visits the files of the tree whose extension is one of the given; test
// data and hidden folders are left out.
func eachFile(t *testing.T, tree fs.FS, extensions []string, visit func(name string, content []byte)) {
	t.Helper()
	wanted := map[string]bool{}
	for _, e := range extensions {
		wanted[e] = true
	}
	err := fs.WalkDir(tree, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if base := d.Name(); d.IsDir() && name != "." && (base[0] == '.' || base == "testdata") {
			return fs.SkipDir
		}
		if d.IsDir() || !wanted[path.Ext(name)] {
			return nil
		}
		content, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(name), content)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
