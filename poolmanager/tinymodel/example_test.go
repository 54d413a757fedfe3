package tinymodel_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"

	"github.com/llorch/gateway/poolmanager/tinymodel"
)

// The file is GGUF, version 3, and the same bytes each time.
func Example() {
	dir, err := os.MkdirTemp("", "tinymodel-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "tiny.gguf")
	if err := tinymodel.Write(path); err != nil {
		fmt.Println(err)
		return
	}
	content, err := os.ReadFile(path)
	fmt.Printf("%s version %d, %d KiB, %v\n", content[:4], content[4], len(content)>>10, err)
	fmt.Println(bytes.Equal(content, tinymodel.Bytes()))
	// Output:
	// GGUF version 3, 480 KiB, <nil>
	// true
}
