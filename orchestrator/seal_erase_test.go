package orchestrator_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"log/slog"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// disks are some replicas, each with a state directory of its own, and a pool whose
// answers contain the canary.
type disks struct {
	t      *testing.T
	all    []*orchestrator.Orchestrator
	dirs   []string
	canary string
}

func newDisks(t *testing.T, s orchestrator.Settings, replicas int) *disks {
	d := &disks{t: t, all: make([]*orchestrator.Orchestrator, replicas), canary: "canary-" + rand.Text()}
	s.CompactEvery(100 * time.Millisecond)
	peers := []string{}
	for range replicas {
		peers, d.dirs = append(peers, testkit.FreeAddress(t)), append(d.dirs, t.TempDir())
	}
	var starting sync.WaitGroup
	for i, dir := range d.dirs {
		o := store.Options{Dir: dir}
		if replicas > 1 {
			o.Cluster = &store.Cluster{Name: "c", Replica: "r" + string(rune('1'+i)), Listen: peers[i], Peers: peers}
		}
		starting.Go(func() { d.all[i] = openReplica(t, o, s) })
	}
	starting.Wait()
	if t.Failed() {
		t.FailNow()
	}
	p := newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
		out.send(nodeapi.Event{Type: nodeapi.EventToken, Text: "the answer has " + d.canary, Index: 0})
		out.end(1)
	})
	if _, err := d.all[0].RegisterNode(t.Context(), orchestrator.Who{Identity: "n"}, p.registration("n", 4)); err != nil {
		t.Fatal(err)
	}
	for _, o := range d.all {
		testkit.Eventually(t, "every replica knows the node", func() bool { return len(o.Nodes()) == 1 })
		testkit.Eventually(t, "every replica encrypts", o.Seals)
	}
	return d
}

func openReplica(t *testing.T, o store.Options, s orchestrator.Settings) *orchestrator.Orchestrator {
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	st, err := store.Open(ctx, o)
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() { st.Close() })
	replica, err := orchestrator.New(ctx, orchestrator.Config{Store: st, Settings: s, Log: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Error(err)
		return nil
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), within)
		defer cancel()
		_ = replica.Stop(ctx)
	})
	return replica
}

// on counts the disks that have a secret.
func (d *disks) on(secret []byte) (n int) {
	for _, dir := range d.dirs {
		if len(testkit.OnDisk(d.t, dir, secret)) > 0 {
			n++
		}
	}
	return n
}

// submit takes one task of each kind whose content is stored in its own way, and waits
// for their ends.
func (d *disks) submit() map[string]string {
	d.t.Helper()
	native := func(padding int) *orchestrator.NativeRequest {
		body, err := json.Marshal(map[string]any{"model": "demo", "prompt": d.canary + strings.Repeat(" x", padding) + d.canary})
		if err != nil {
			d.t.Fatal(err)
		}
		return &orchestrator.NativeRequest{Protocol: nodeapi.Completions, Body: body}
	}
	ids := map[string]string{}
	for kind, r := range map[string]orchestrator.TaskRequest{
		"prompt":       {ModelRef: "demo", Prompt: d.canary, Stop: []string{d.canary}},
		"large prompt": {ModelRef: "demo", Prompt: d.canary + strings.Repeat(" x", 400_000)},
		"messages":     {ModelRef: "demo", Messages: []nodeapi.Message{{Role: "user", Content: d.canary}}},
		"small call":   {Native: native(10)},
		"large call":   {Native: native(300_000)},
	} {
		a, err := d.all[0].Submit(d.t.Context(), ci, r, "")
		if err != nil {
			d.t.Fatalf("%s: %v", kind, err)
		}
		ids[kind] = a.TaskID
	}
	for kind, id := range ids {
		testkit.Eventually(d.t, kind+" has ended", func() bool {
			task, err := d.all[0].Task(ci, id)
			if err == nil && task.State == orchestrator.Failed {
				d.t.Fatalf("%s: %+v", kind, task.Error)
			}
			return err == nil && task.State == orchestrator.Completed
		})
	}
	return ids
}

// keys gives the keys of tasks, once they are on every disk.
func (d *disks) keys(ids map[string]string) map[string][]byte {
	d.t.Helper()
	all := map[string][]byte{}
	for kind, id := range ids {
		key, err := d.all[0].KeyOf(d.t.Context(), id)
		if err != nil {
			d.t.Fatalf("%s: %v", kind, err)
		}
		all[kind] = bytes.Clone(key)
		testkit.Eventually(d.t, "the key of "+kind+" is on every disk", func() bool { return d.on(key) == len(d.dirs) })
	}
	return all
}

// gone waits until no disk has a key, and looks for the canary itself.
func (d *disks) gone(keys map[string][]byte) {
	d.t.Helper()
	for kind, key := range keys {
		testkit.Eventually(d.t, "the key of "+kind+" is on no disk", func() bool { return d.on(key) == 0 })
	}
	for _, dir := range d.dirs {
		if files := testkit.OnDisk(d.t, dir, []byte(d.canary)); len(files) > 0 {
			d.t.Errorf("the canary is in %v", files)
		}
	}
}

// TestAnErasedTaskLeavesTheDisk and its sibling erase tasks whose requests and answers
// have a canary: afterwards no file has it, nor the key that it was encrypted with.
func TestAnErasedTaskLeavesTheDisk(t *testing.T) {
	t.Parallel()
	checkErase(t, newDisks(t, orchestrator.Settings{}, 1))
}

func TestAnErasedTaskLeavesTheDisksOfACluster(t *testing.T) {
	t.Parallel()
	checkErase(t, newDisks(t, orchestrator.Settings{}, 3))
}

func checkErase(t *testing.T, d *disks) {
	ids := d.submit()
	keys := d.keys(ids)
	last := d.all[len(d.all)-1]
	for kind, id := range ids {
		testkit.Eventually(t, kind+" has ended everywhere", func() bool {
			task, err := last.Task(ci, id)
			return err == nil && task.State == orchestrator.Completed
		})
		if text := d.read(last, id); !strings.Contains(text, d.canary) {
			t.Errorf("%s: the answer is %q", kind, text)
		}
		if err := last.Erase(t.Context(), ci, id); err != nil {
			t.Fatalf("erasing %s: %v", kind, err)
		}
	}
	d.gone(keys)
	for kind, id := range ids {
		if text := d.read(d.all[0], id); strings.Contains(text, d.canary) {
			t.Errorf("%s: an erased answer is %q", kind, text)
		}
		if task, err := d.all[0].Task(ci, id); err != nil || task.State != orchestrator.Completed {
			t.Errorf("%s: its record is %s, %v", kind, task.State, err)
		}
	}
}

// read gives all events of a task that has ended.
func (d *disks) read(o *orchestrator.Orchestrator, id string) (text string) {
	d.t.Helper()
	reader, err := o.Follow(ci, id, 0)
	if err != nil {
		d.t.Fatal(err)
	}
	for {
		ctx, cancel := context.WithTimeout(d.t.Context(), within)
		events, err := reader.Next(ctx)
		cancel()
		if err != nil {
			return text
		}
		for _, ev := range events {
			text += string(ev.Data)
		}
	}
}

// TestTheContentOfACallWithoutAKeyLeavesTheDisk when it has been kept for long enough; that
// of a call with a key stays.
func TestTheContentOfACallWithoutAKeyLeavesTheDisk(t *testing.T) {
	t.Parallel()
	d := newDisks(t, orchestrator.Settings{KeepContent: time.Millisecond}, 1)
	op, _ := nodeapi.FindOperation("completions")
	ids := map[string]string{}
	for _, key := range []string{"", "key"} {
		a, err := d.all[0].SubmitCall(t.Context(), ci, orchestrator.CallRequest{
			Operation: op, Key: key, Body: strings.NewReader(`{"model":"demo","prompt":"` + d.canary + `"}`),
		})
		if err != nil {
			t.Fatal(err)
		}
		ids["call "+key] = a.TaskID
	}
	for _, id := range ids {
		testkit.Eventually(t, "the call has ended", func() bool {
			task, err := d.all[0].Task(ci, id)
			return err == nil && task.State == orchestrator.Completed
		})
	}
	keys := d.keys(ids)
	kept := keys["call key"]
	delete(keys, "call key")
	testkit.Eventually(t, "the time has passed", func() bool { d.all[0].Sweep(); return d.on(keys["call "]) == 0 })
	d.gone(keys)
	if d.on(kept) == 0 {
		t.Error("a call with a key lost its content")
	}
	if text := d.read(d.all[0], ids["call key"]); !strings.Contains(text, d.canary) {
		t.Errorf("a call with a key: the answer is %q", text)
	}
}

// TestAForgottenTaskLosesItsKey when its retention ends.
func TestAForgottenTaskLosesItsKey(t *testing.T) {
	t.Parallel()
	d := newDisks(t, orchestrator.Settings{}, 1)
	ids := d.submit()
	keys := d.keys(ids)
	for _, id := range ids {
		if err := d.all[0].Forget(id); err != nil {
			t.Fatal(err)
		}
		if _, err := d.all[0].Task(ci, id); err == nil {
			t.Error("a forgotten task is found")
		} else if e, _ := errors.AsType[*orchestrator.Error](err); e == nil {
			t.Error(err)
		}
	}
	d.gone(keys)
}
