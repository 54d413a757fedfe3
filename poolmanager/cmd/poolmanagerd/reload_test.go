//go:build linux

package main

import (
	"os"
	"path/filepath"
	"slices"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/authmin/backend"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// HUP goes to the daemon, and to its engines too, as pkill sends it by their
// common name. Then the token's file changes: the new token is taken, the old one
// is refused, and a stream that came with it ends.
func TestHUPEndsNoStreamAndATokenInAFileIsFollowed(t *testing.T) {
	dir, first, second := t.TempDir(), authmin.RandomSecret(), authmin.RandomSecret()
	file := filepath.Join(dir, "token")
	if err := os.WriteFile(file, []byte(first.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	d := startDaemonWith(t, dir, first, "LLORCH_API_TOKEN_FILE="+file)
	d.awaitReady(t)
	stream, err := d.client.Dispatch(t.Context(), "p", nodeapi.DispatchRequest{Prompt: "x", MaxTokens: 60_000})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	for _, pid := range append(engines(t, dir), d.Process.Pid) {
		if err := syscall.Kill(pid, syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
	}
	for range 50 { // a quarter of a second
		if _, err := stream.Next(); err != nil {
			t.Fatalf("the stream ended after HUP: %v", err)
		}
	}
	if err := os.WriteFile(file+".new", []byte(second.Reveal()), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			if _, err := stream.Next(); err != nil {
				return
			}
		}
	}()
	select {
	case <-ended:
	case <-time.After(10 * time.Second):
		t.Error("the stream of the old token is still open")
	}
	if _, err := d.client.Status(t.Context(), "p"); err == nil {
		t.Error("the old token is still taken")
	}
	fresh := nodeapi.New(d.base, second.Reveal, nil)
	if _, err := fresh.Status(t.Context(), "p"); err != nil {
		t.Errorf("the new token: %v", err)
	}
}

func TestChangedKeysAreNamed(t *testing.T) {
	read := func(text string) backend.Daemon {
		d, err := program().Read(write(t, "c.yaml", "runtime_dir: /tmp/x\n"+text), env(nil))
		if err != nil {
			t.Fatal(err)
		}
		return d
	}
	const same = "templates:\n- {name: a, base: demo}\n"
	was := read("listen: 127.0.0.1:1\npreload:\n- {pool_id: a, template: a}\n" + same)
	is := read("listen: 127.0.0.1:2\nlog_level: debug\nmodel_hosts: [a.example]\npreload:\n- {pool_id: b, template: a}\n" + same)
	if got, want := is.Settings().Changed(was.Settings()), []string{"listen", "model_hosts", "preload"}; !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
}
