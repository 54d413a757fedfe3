package poolmanager

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestTwoStartsNeverShareAPort although the kernel offers it twice, while
// no engine listens on it yet.
func TestTwoStartsNeverShareAPort(t *testing.T) {
	gives := []int{7, 7, 7, 8}
	p := &ports{taken: map[int]bool{}, free: func() (int, error) {
		port := gives[0]
		if len(gives) > 1 {
			gives = gives[1:]
		}
		return port, nil
	}}
	first, err := p.take()
	second, secondErr := p.take()
	if first != 7 || second != 8 || err != nil || secondErr != nil {
		t.Errorf("got %d, %v and %d, %v", first, err, second, secondErr)
	}
	if port, err := p.take(); err == nil {
		t.Errorf("a third start was given %d", port)
	}
	p.giveBack(8)
	if port, err := p.take(); port != 8 || err != nil {
		t.Errorf("a port that was given back: got %d, %v", port, err)
	}
}

// TestAPortIsHeldAsLongAsItsEngine, and not by a start that came to nothing.
func TestAPortIsHeldAsLongAsItsEngine(t *testing.T) {
	r := startRig(t, nil)
	held := r.pools.env.engines.(*processes).ports
	count := func() int {
		held.mu.Lock()
		defer held.mu.Unlock()
		return len(held.taken)
	}
	r.ready(t, "p", "demo", "")
	if !held.taken[r.engine(t, "p").port] || count() != 1 {
		t.Errorf("held: %v", held.taken)
	}
	if _, err := r.pools.stop("p"); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the end of the engine", func() bool { return count() == 0 })
	for name, breaks := range map[string]func() error{
		"without room for its key":    func() error { return os.RemoveAll(filepath.Join(r.dir.path, "keys")) },
		"without room for its record": func() error { return os.RemoveAll(filepath.Join(r.dir.path, "processes")) },
	} {
		if err := breaks(); err != nil {
			t.Fatal(err)
		}
		if _, err := r.pools.preload("q", nodeapi.PreloadRequest{Template: "demo"}); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "a failure", func() bool { return strings.Contains(r.status(t, "q").LastError, "no such file") })
		if _, err := r.pools.stop("q"); err != nil {
			t.Fatal(err)
		}
		testkit.Eventually(t, "an end "+name, func() bool { return r.status(t, "q").State == "stopped" })
		if count() != 0 {
			t.Errorf("a start %s holds %d ports", name, count())
		}
		if err := os.MkdirAll(filepath.Join(r.dir.path, "keys"), 0o700); err != nil {
			t.Fatal(err)
		}
	}
}
