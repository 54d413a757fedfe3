package trail_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule/trail"
)

// A file with a key is a chain of records: a later change to one of them shows.
func Example() {
	dir, err := os.MkdirTemp("", "trail-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	path, key := filepath.Join(dir, "audit.ndjson"), authmin.RandomSecret()

	sink := trail.NewFile(path, key, trail.Options{})
	if err := sink.Start(); err != nil {
		fmt.Println(err)
		return
	}
	for _, event := range []string{"auth_success", "auth_failure", "auth_success"} {
		line := fmt.Sprintf(`{"time":"2026-11-22T01:02:03.000004Z","level":"INFO","event":%q}`, event)
		if err := sink.Put(trail.Record{Line: []byte(line), Wait: true}); err != nil {
			fmt.Println(err)
			return
		}
	}
	if err := sink.Stop(); err != nil {
		fmt.Println(err)
		return
	}
	report, err := trail.Verify([]string{path}, key, time.Now())
	fmt.Println("complete:", err == nil && report.Records > 3)

	content, err := os.ReadFile(path)
	if err != nil {
		fmt.Println(err)
		return
	}
	changed := bytes.Replace(content, []byte("auth_failure"), []byte("auth_success"), 1)
	if err := os.WriteFile(path, changed, 0o600); err != nil {
		fmt.Println(err)
		return
	}
	_, err = trail.Verify([]string{path}, key, time.Now())
	fmt.Println("changed:", strings.TrimPrefix(err.Error(), dir))
	// Output:
	// complete: true
	// changed: /audit.ndjson:3: record 3: edited: its seal does not fit its text
}
