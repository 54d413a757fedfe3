package orchestrator

import (
	"errors"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// TestAListingAfterALostConnectionTellsWhatHasVanished plays a watch that begins
// again: what is in memory and not listed is looked for, and goes if it is gone.
func TestAListingAfterALostConnectionTellsWhatHasVanished(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t)})
	b := o.store.Bucket(store.Tasks)
	entry := func(id string) store.Entry {
		t.Helper()
		e, err := b.Get(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		return e
	}
	stays, goes := waitingTask(t, o), waitingTask(t, o)
	in := &watchState{
		o: o, ctx: t.Context(), listed: make(chan struct{}),
		bucketWatch: bucketWatch{bucket: store.Tasks, take: o.observe, keys: o.tasks.ids},
	}
	in.begin()
	in.take(entry(stays))
	in.take(entry(goes))
	in.take(store.Entry{})
	testkit.Receive(t, in.listed, "the listing")
	if err := b.Delete(t.Context(), goes); err != nil { // by another replica, while this one was not watching
		t.Fatal(err)
	}
	ours := waitingTask(t, o) // and this is ours, too new for the listing
	in.begin()
	in.take(entry(stays))
	if o.found(ci, goes) == nil {
		t.Error("gone before the listing has ended")
	}
	in.take(store.Entry{})
	if o.found(ci, goes) != nil || o.found(ci, stays) == nil || o.found(ci, ours) == nil {
		t.Error("want the one that is gone forgotten, and no other")
	}
	if got := o.queue.depth(Interactive); got != 2 {
		t.Errorf("%d wait, want 2", got)
	}
}

// TestKeysOfAnInterruptedListingAreChecked deletes keys that were in a listing which broke
// off: the first one, before memory was complete, or a later one.
func TestKeysOfAnInterruptedListingAreChecked(t *testing.T) {
	for name, before := range map[string]func(*watchState, store.Entry){
		"the first": func(in *watchState, e store.Entry) {
			in.begin()
			in.take(e)
		},
		"a later one": func(in *watchState, e store.Entry) {
			in.begin()
			in.take(e)
			in.take(store.Entry{})
			in.begin()
			in.take(e)
		},
	} {
		t.Run(name, func(t *testing.T) {
			st := openStore(t)
			o := newWith(t, Config{Store: st})
			other := newWith(t, Config{Store: openStore(t)})
			goes, stays := waitingTask(t, o), waitingTask(t, o)
			get := func(id string) store.Entry {
				e, err := st.Bucket(store.Tasks).Get(t.Context(), id)
				if err != nil {
					t.Fatal(err)
				}
				return e
			}
			e := get(goes)
			other.tasks.loading = []*taskEntry{} // nothing is known there yet
			in := &watchState{
				o: o, ctx: t.Context(), listed: make(chan struct{}),
				bucketWatch: bucketWatch{bucket: store.Tasks, take: other.observe, keys: other.tasks.ids, loaded: other.queueLoaded},
			}
			before(in, e)
			if err := st.Bucket(store.Tasks).Delete(t.Context(), goes); err != nil {
				t.Fatal(err)
			}
			in.begin()
			in.take(get(stays))
			in.take(store.Entry{})
			testkit.Receive(t, in.listed, "the listing")
			if known := other.tasks.ids(); len(known) != 1 || known[0] != stays {
				t.Error("want the one that is gone forgotten, and not the other")
			}
			if got := other.queue.depth(Interactive); got != 1 {
				t.Errorf("%d wait, want 1", got)
			}
		})
	}
}

// TestStaleRecordsAreIgnored delivers the records of a task again, in any order, as a
// listing and own writes do.
func TestStaleRecordsAreIgnored(t *testing.T) {
	o := newWith(t, Config{Store: openStore(t)})
	id := waitingTask(t, o)
	e := o.found(ci, id)
	old, err := o.store.Bucket(store.Tasks).Get(t.Context(), id)
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Cancel(t.Context(), ci, id); err != nil {
		t.Fatal(err)
	}
	o.observe(old)
	r, err := decodeRecord(old.Value)
	if err != nil {
		t.Fatal(err)
	}
	o.apply(e, r, old.Revision, int64(len(old.Value)), false)
	if task := e.view(); task.State != Canceled || o.queue.depth(Interactive) != 0 {
		t.Errorf("an old record made a task that has ended %s again, %d wait", task.State, o.queue.depth(Interactive))
	}
	o.drop(id, old.Revision) // the news that an older task of this id was deleted
	if o.found(ci, id) == nil {
		t.Error("an old deletion took a newer task away")
	}
	if _, err := o.change(t.Context(), e, func(t *Task) { t.State = Queued }); !errors.Is(err, errEnded) {
		t.Errorf("got %v, want errEnded", err)
	}
}
