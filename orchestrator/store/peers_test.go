package store_test

import (
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// views are several replicas on one server.
func views(t *testing.T, names ...string) (all []*store.Peers, cuts []func(bool)) {
	t.Helper()
	st := open(t, t.TempDir())
	if st.Peers() != nil {
		t.Error("a single server has peers")
	}
	for _, name := range names {
		v, cut, err := st.View(t.Context(), name)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { v.Close() })
		if _, known := v.Others(); known {
			t.Error("a replica whose server is another process knows how many others are connected")
		}
		all, cuts = append(all, v.Peers()), append(cuts, cut)
	}
	return all, cuts
}

func TestReplicasHearEachOther(t *testing.T) {
	all, cuts := views(t, "a", "b")
	a, b := all[0], all[1]
	got := make(chan store.PeerMessage, 10)
	for _, p := range all {
		stop, err := p.Subscribe("x", func(m store.PeerMessage) { got <- m })
		if err != nil {
			t.Fatal(err)
		}
		defer stop()
	}
	if err := a.Publish("x", []byte("1")); err != nil {
		t.Fatal(err)
	}
	if err := b.Publish("x", bytes.Repeat([]byte("2"), store.MaxRecordBytes)); err != nil {
		t.Fatal(err)
	}
	bodies := map[string]int{}
	for range 2 { // own messages are not heard
		select {
		case m := <-got:
			bodies[m.From] = len(m.Body)
		case <-time.After(10 * time.Second):
			t.Fatalf("got only %v", bodies)
		}
	}
	if bodies["a"] != 1 || bodies["b"] != store.MaxRecordBytes {
		t.Errorf("got bodies of %v bytes", bodies)
	}
	if err := a.Publish("x", make([]byte, store.MaxRecordBytes+1)); !errors.Is(err, store.ErrTooLarge) {
		t.Errorf("too large: got %v", err)
	}
	cuts[0](true)
	testkit.Eventually(t, "a cannot send", func() bool { return a.Publish("x", nil) != nil })
	cuts[0](false)
	testkit.Eventually(t, "a is heard again", func() bool {
		_ = a.Publish("x", []byte("again"))
		select {
		case m := <-got:
			return string(m.Body) == "again"
		default:
			return false
		}
	})
}

func TestAQuestionIsAnsweredByEachReplica(t *testing.T) {
	all, _ := views(t, "a", "b", "c")
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := all[0].Ask(ctx, "q", nil, func(store.PeerMessage) bool { return true }); !errors.Is(err, store.ErrNoPeers) {
		t.Errorf("with no replica that listens: got %v", err)
	}
	for _, p := range all { // the one that asks, too: it does not hear itself
		if _, err := p.Subscribe("q", func(m store.PeerMessage) {
			for range 2 {
				if err := m.Answer(p, m.Body); err != nil {
					t.Error(err)
				}
			}
		}); err != nil {
			t.Fatal(err)
		}
	}
	parts := map[string]int{}
	err := all[0].Ask(ctx, "q", []byte("?"), func(m store.PeerMessage) bool {
		if string(m.Body) == "?" {
			parts[m.From]++
		}
		return parts["b"] == 2 && parts["c"] == 2
	})
	if err != nil || len(parts) != 2 {
		t.Errorf("got %v, %v", parts, err)
	}
	short, end := context.WithTimeout(ctx, 50*time.Millisecond)
	defer end()
	if err := all[0].Ask(short, "q", nil, func(store.PeerMessage) bool { return false }); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("never enough: got %v", err)
	}
}

func TestAFileOfTheStateDirectory(t *testing.T) {
	dir := t.TempDir()
	st := open(t, dir)
	if _, err := st.LoadFile("f", 10); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("before it is written: %v", err)
	}
	for _, text := range []string{"first", "second"} {
		if err := st.SaveFile("f", []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := st.LoadFile("f", 10); err != nil || string(got) != text+"\n" {
			t.Errorf("got %q, %v", got, err)
		}
	}
	if _, err := st.LoadFile("f", 3); err == nil {
		t.Error("a file over the limit is read")
	}
	if info, err := os.Stat(filepath.Join(dir, "f")); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("its mode is %v, %v", info.Mode(), err)
	}
	v, _, err := st.View(t.Context(), "v") // the directory is not its own
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { v.Close() })
	if err := v.SaveFile("f", []byte("third")); err != nil {
		t.Error(err)
	}
	if got, err := st.LoadFile("f", 10); err != nil || string(got) != "second\n" {
		t.Errorf("got %q, %v", got, err)
	}
}

// TestAMessageWithoutASenderIsNone: what names no replica is of another program on the same
// server, and a replica does not hear itself.
func TestAMessageWithoutASenderIsNone(t *testing.T) {
	all, _ := views(t, "a", "b")
	got := make(chan store.PeerMessage, 10)
	stop, err := all[0].Subscribe("x", func(m store.PeerMessage) { got <- m })
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	for _, from := range []string{"", "a b", "../b", "a"} {
		if err := all[1].PublishAs(from, "x", []byte("not a peer's")); err != nil {
			t.Fatal(err)
		}
	}
	if err := all[1].Publish("x", []byte("a peer's")); err != nil {
		t.Fatal(err)
	}
	if m := testkit.Receive(t, got, "the message of the peer"); m.From != "b" || string(m.Body) != "a peer's" {
		t.Errorf("got %q from %q, want the peer's message alone", m.Body, m.From)
	}
}
