package poolmanager

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/llorch/gateway/poolmanager/ownfile"
)

const (
	// handoffDrain is how long tasks of a pool may go on after its file was removed:
	// its engine will soon stop.
	handoffDrain = 30 * time.Second
	// handoffEvery is how often the directory is scanned: a change is seen within 2 s.
	handoffEvery = time.Second
	// maxHandoffFiles bounds what is read of the directory: as many as pools.
	maxHandoffFiles = MaxPools
	// maxHandoffEntries bounds what is listed of it, other files included.
	maxHandoffEntries = 4 * maxHandoffFiles
)

// handoffOutcome is the result of a handoff file: the label of the counter.
type handoffOutcome string

// The outcomes.
const (
	handoffAdopted   handoffOutcome = "adopted"   // its pool is served
	handoffRemoved   handoffOutcome = "removed"   // it is gone, or changed, and its pool with it
	handoffInvalid   handoffOutcome = "invalid"   // its contents are wrong
	handoffUnsafe    handoffOutcome = "unsafe"    // others could have written it
	handoffCollision handoffOutcome = "collision" // its pool is known already
)

// handoffs serves the engines that other provisioners of this user have started,
// as <runtime>/engines/*.json says. Their pools are like those of a url template:
// never started, never stopped. A file that is wrong keeps only itself out.
type handoffs struct {
	dir   string
	log   *slog.Logger
	count *prometheus.CounterVec
	pools *manager

	releases sync.WaitGroup
	mu       sync.Mutex
	leaving  map[string]bool // pools that are being released

	seen    map[string]handoffFile // by file name
	serving map[string]handoff     // by pool id
	noted   map[string]string      // what was last logged, by file name
	trouble string                 // the last error of the directory that was logged
}

// handoffFile is a file as it was when it was read last.
type handoffFile struct {
	identity ownfile.State
	content  handoff
	err      error
}

// openHandoffs makes the directory. runtimeDir is private already.
func openHandoffs(runtimeDir string, pools *manager, log *slog.Logger, registry *prometheus.Registry) (*handoffs, error) {
	h := &handoffs{
		dir: filepath.Join(runtimeDir, "engines"), pools: pools, log: log, leaving: map[string]bool{},
		seen: map[string]handoffFile{}, serving: map[string]handoff{}, noted: map[string]string{},
		count: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "pool_handoff_files_processed_total", Help: "Handoff files by what became of them.",
		}, []string{"outcome"}),
	}
	for _, o := range []handoffOutcome{handoffAdopted, handoffRemoved, handoffInvalid, handoffUnsafe, handoffCollision} {
		h.count.WithLabelValues(string(o)) // zero is a value: alerts need it
	}
	registry.MustRegister(h.count)
	if err := os.Mkdir(h.dir, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("making the directory for handoff files: %w", err)
	}
	return h, nil
}

// run scans the directory until ctx ends, then waits for the pools that are being
// released: a stop of the pools ends them.
func (h *handoffs) run(ctx context.Context) {
	defer h.releases.Wait()
	ticker := time.NewTicker(handoffEvery)
	defer ticker.Stop()
	for {
		h.scan()
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
	}
}

// scan makes the pools match the directory. While it cannot be read its pools stay;
// when other users could have written to it they are removed.
func (h *handoffs) scan() {
	wanted := map[string]handoff{}
	from := map[string]string{} // file by pool
	present := map[string]bool{}
	err := h.read(func(name string, f handoffFile) {
		present[name] = true
		if f.err != nil {
			h.note(name, outcomeOf(f.err), f.err)
			return
		}
		if other, twice := from[f.content.PoolID]; twice {
			h.note(name, handoffCollision, fmt.Errorf("%s names the pool %s already", other, f.content.PoolID))
			return
		}
		wanted[f.content.PoolID], from[f.content.PoolID] = f.content, name
	})
	if h.tell(err); err != nil && !errors.Is(err, ownfile.ErrUnsafe) {
		return
	}
	for name := range h.seen {
		if !present[name] {
			delete(h.seen, name)
			delete(h.noted, name)
		}
	}
	h.reconcile(wanted, from)
}

func (h *handoffs) reconcile(wanted map[string]handoff, from map[string]string) {
	for id, now := range h.serving {
		if next, ok := wanted[id]; ok && next.same(now) {
			continue
		}
		h.release(id)
	}
	for id, next := range wanted {
		if _, ok := h.serving[id]; ok || h.isLeaving(id) {
			continue
		}
		if err := h.pools.adopt(id, next.spec()); err != nil {
			h.note(from[id], handoffCollision, err) // and tried again at the next scan
			continue
		}
		h.serving[id] = next
		h.note(from[id], handoffAdopted, nil)
		h.log.Info("handoff pool served", "pool_id", id, "file", from[id], "replica_id", next.ReplicaID, "engine", next.Engine)
	}
}

// release takes a pool away when its tasks have ended. The same id can be served
// again only after that.
func (h *handoffs) release(id string) {
	delete(h.serving, id)
	h.count.WithLabelValues(string(handoffRemoved)).Inc()
	h.log.Info("handoff pool removed", "pool_id", id)
	h.setLeaving(id, true)
	h.releases.Go(func() {
		h.pools.release(id, handoffDrain)
		h.setLeaving(id, false)
	})
}

func (h *handoffs) isLeaving(id string) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.leaving[id]
}

func (h *handoffs) setLeaving(id string, leaving bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if leaving {
		h.leaving[id] = true
	} else {
		delete(h.leaving, id)
	}
}

// note counts the outcome of a file and logs an error once.
func (h *handoffs) note(name string, outcome handoffOutcome, err error) {
	text := string(outcome)
	if err != nil {
		text += ": " + err.Error()
	}
	if h.noted[name] == text {
		return
	}
	h.noted[name] = text
	h.count.WithLabelValues(string(outcome)).Inc()
	if err != nil {
		h.log.Warn("handoff file rejected", "file", name, "outcome", outcome, "error", err)
	}
}

// tell logs an error of the directory once.
func (h *handoffs) tell(err error) {
	text := ""
	if err != nil {
		text = err.Error()
	}
	if text != h.trouble && err != nil {
		h.log.Warn("could not read the handoff directory", "error", err)
	}
	h.trouble = text
}

// read gives each file in the order of the names; what has not changed since the
// last time is not read again.
func (h *handoffs) read(each func(name string, f handoffFile)) error {
	dir, err := os.OpenFile(h.dir, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // as good as empty
	}
	if err != nil {
		return fmt.Errorf("%w: opening %s: %w", ownfile.ErrUnsafe, h.dir, err)
	}
	defer dir.Close()
	info, err := dir.Stat()
	if err != nil {
		return fmt.Errorf("looking at %s: %w", h.dir, err)
	}
	if err := ownfile.CheckInfo(info); err != nil {
		return fmt.Errorf("%s: %w", h.dir, err)
	}
	if err := ownfile.CheckAncestors(h.dir); err != nil {
		return err
	}
	entries, err := dir.ReadDir(maxHandoffEntries)
	if err != nil && len(entries) == 0 {
		return nil // io.EOF: it is empty
	}
	slices.SortFunc(entries, func(a, b fs.DirEntry) int { return strings.Compare(a.Name(), b.Name()) })
	files := 0
	for _, entry := range entries {
		name := entry.Name()
		if !strings.HasSuffix(name, ".json") || strings.HasPrefix(name, ".") {
			continue // on its way to its name
		}
		if files++; files > maxHandoffFiles {
			return nil
		}
		f, gone := h.file(dir, name)
		if gone {
			continue // between the listing and now
		}
		h.seen[name] = f
		each(name, f)
	}
	return nil
}

// file reads one, unless it is as it was.
func (h *handoffs) file(dir *os.File, name string) (f handoffFile, gone bool) {
	file, err := openHandoff(dir, name)
	if errors.Is(err, fs.ErrNotExist) {
		return f, true
	}
	if err != nil {
		return handoffFile{err: err}, false
	}
	defer file.Close()
	if f.identity, err = ownfile.StateOf(file); err != nil {
		return handoffFile{err: err}, false
	}
	if before, ok := h.seen[name]; ok && before.err == nil && before.identity == f.identity {
		return before, false
	}
	f.content, f.err = parseHandoff(file)
	return f, false
}
