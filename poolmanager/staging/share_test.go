package staging

import (
	"bytes"
	"errors"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

func TestOnlySoManyDownloadsRunAtOnce(t *testing.T) {
	r := newStagingRig(t, 1000, nil)
	var now, most atomic.Int64
	gate := make(chan struct{})
	open := sync.OnceFunc(func() { close(gate) })
	t.Cleanup(open) // before the server waits for its requests
	r.manners(func(w http.ResponseWriter, _ *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for seen := most.Load(); n > seen && !most.CompareAndSwap(seen, n); seen = most.Load() {
		}
		<-gate
		_, _ = w.Write(r.bytes)
	})
	var group sync.WaitGroup
	for i := range 3 * maxDownloads {
		id := "m" + strconv.Itoa(i)
		r.enter(id, map[string]any{"digest": "sha256:" + strings.Repeat(strconv.Itoa(i), 64)})
		group.Go(func() {
			if _, err := r.Stage(t.Context(), "catalog:"+id, nil); !errors.Is(err, errDigest) {
				t.Errorf("%s: %v", id, err)
			}
		})
	}
	testkit.Eventually(t, "the places to be taken", func() bool { return now.Load() == maxDownloads })
	open()
	group.Wait()
	if most.Load() != maxDownloads {
		t.Errorf("%d downloads at once, want %d", most.Load(), maxDownloads)
	}
}

// TestALockOnARenamedFileDoesNotCount: the holder may have given the file its
// final name, under which no process writes.
func TestALockOnARenamedFileDoesNotCount(t *testing.T) {
	r := newStagingRig(t, 10, nil)
	if err := r.prepare(); err != nil {
		t.Fatal(err)
	}
	path := r.partialPath(r.hex)
	file, err := r.lockPartial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if !stillThere(file, path) {
		t.Error("a file that is there is not")
	}
	if err := os.Rename(path, r.finalPath(r.hex)); err != nil {
		t.Fatal(err)
	}
	if stillThere(file, path) {
		t.Error("a renamed file still has its name")
	}
	other, err := r.lockPartial(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if stillThere(file, path) || !stillThere(other, path) {
		t.Error("one file is taken for the other")
	}
}

func TestTwoProcessesWithOneRootShareTheWork(t *testing.T) {
	r := newStagingRig(t, 1<<20, nil)
	other := New(r.Options)
	var group sync.WaitGroup
	for _, s := range []*Stager{r.Stager, other, r.Stager, other} {
		group.Go(func() {
			if path, err := s.Stage(t.Context(), "catalog:m", nil); err != nil || path != r.finalPath(r.hex) {
				t.Errorf("%s, %v", path, err)
			}
		})
	}
	group.Wait()
	r.checkStaged(t, r.finalPath(r.hex), nil) // who came late has looked into an empty partial file
	if sent := r.sent.Load(); sent != 1<<20 {
		t.Errorf("the source sent %d bytes", sent)
	}
}

// stageInAChild makes the test binary stage catalog:m and end.
const stageInAChild = "POOLMANAGER_TEST_STAGE"

// TestStagingChild is the process of the next test; alone it does nothing.
func TestStagingChild(t *testing.T) {
	settings := strings.Split(os.Getenv(stageInAChild), "|")
	if len(settings) != 4 {
		return
	}
	token := authmin.NewSecret(settings[3])
	s := New(Options{Root: settings[0], Catalog: catalogAt(t, settings[1], func() authmin.Secret { return token }),
		Hosts: []string{settings[2]}, times: quickStaging})
	if _, err := s.Stage(t.Context(), "catalog:m", nil); err != nil {
		t.Fatal(err)
	}
}

// TestAKilledProcessResumes kills one with SIGKILL in the middle of a download;
// its successor fetches the rest and no more.
func TestAKilledProcessResumes(t *testing.T) {
	const size, kill = 8 << 20, 3 << 20
	r := newStagingRig(t, size, nil)
	child := func() *exec.Cmd {
		command := exec.Command(os.Args[0], "-test.run", "^TestStagingChild$")
		command.Env = append(os.Environ(), stageInAChild+"="+strings.Join([]string{r.Root, r.catalog.URL, r.source.URL, r.token.Reveal()}, "|"))
		command.Stdout, command.Stderr = r.log, r.log
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		return command
	}
	hold := make(chan struct{})
	r.manners(func(w http.ResponseWriter, q *http.Request) {
		w.Header().Set("ETag", `"v1"`)
		w.Header().Set("Content-Length", strconv.Itoa(size))
		_, _ = w.Write(r.bytes[:kill])
		_ = http.NewResponseController(w).Flush()
		<-hold
	})
	first := child()
	testkit.Eventually(t, "the first part to be written", func() bool { return sizeOf(r.partialPath(r.hex)) == kill })
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = first.Wait() // it was killed
	close(hold)
	r.notStaged(t, ErrStaging, nil)
	testkit.Eventually(t, "the first part to be counted", func() bool { return r.sent.Load() >= kill })
	before := r.sent.Load()
	r.manners(nil)
	if err := child().Wait(); err != nil {
		t.Fatalf("%v\n%s", err, r.log)
	}
	got, err := os.ReadFile(r.finalPath(r.hex))
	if err != nil || !bytes.Equal(got, r.bytes) {
		t.Fatalf("%d bytes, %v", len(got), err)
	}
	r.noPartials(t)
	if sent := r.sent.Load() - before; sent != size-kill {
		t.Errorf("the second process was sent %d bytes, want the missing %d", sent, size-kill)
	}
	t.Logf("sent %d bytes to the killed process, %d to its successor, for %d", before, r.sent.Load()-before, size)
}
