package store_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// watched is what a watch has told, as text.
func watched(t *testing.T, watch func(context.Context, func(), func(store.Entry)) error) <-chan string {
	t.Helper()
	told := make(chan string, 10_000)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = watch(ctx, func() { told <- "begin" }, func(e store.Entry) {
			switch {
			case e.Key == "":
				told <- "all"
			case e.Deleted:
				told <- e.Key + " gone"
			default:
				told <- fmt.Sprintf("%s=%s(%d)", e.Key, e.Value, e.Size)
			}
		})
	}()
	t.Cleanup(func() { cancel(); testkit.Receive(t, done, "the end") })
	return told
}

func hear(t *testing.T, told <-chan string, want string) {
	t.Helper()
	var got []string
	for range strings.Fields(want) {
		select {
		case s := <-told:
			got = append(got, strings.ReplaceAll(s, " ", "-"))
		case <-time.After(10 * time.Second):
			t.Fatalf("silence after %v, want %s", got, want)
		}
	}
	if strings.Join(got, " ") != want {
		t.Fatalf("got %v, want %s", got, want)
	}
}

// waitForEvent waits for one event and ignores others before it.
func waitForEvent(t *testing.T, told <-chan string, want string) {
	t.Helper()
	late := time.After(10 * time.Second)
	for {
		select {
		case s := <-told:
			if strings.ReplaceAll(s, " ", "-") == want {
				return
			}
		case <-late:
			t.Fatalf("got no event in 10 s, want %s", want)
		}
	}
}

func TestAWatchTellsWhatIsThereThenEachChange(t *testing.T) {
	b := open(t, t.TempDir()).Bucket(store.Tasks)
	ctx := t.Context()
	rev, err := b.Create(ctx, "a", []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := b.Create(ctx, "gone", nil); err != nil {
		t.Fatal(err)
	}
	if err := b.Delete(ctx, "gone"); err != nil {
		t.Fatal(err)
	}
	told := watched(t, b.Watch)
	hear(t, told, "begin a=1(1) all")
	if _, err := b.Update(ctx, "a", []byte("22"), rev); err != nil {
		t.Fatal(err)
	}
	hear(t, told, "a=22(2)")
	if err := b.Delete(ctx, "a"); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Create(ctx, "b", []byte("3")); err != nil {
		t.Fatal(err)
	}
	hear(t, told, "a-gone b=3(1)")
	hear(t, watched(t, b.WatchMeta), "begin b=(1) all")
	hear(t, watched(t, openEmpty(t).Watch), "begin all")
}

func openEmpty(t *testing.T) *store.Bucket { return open(t, t.TempDir()).Bucket(store.Sessions) }

func TestAWatchTakesMoreThanFitsIntoItsBuffers(t *testing.T) {
	b := open(t, t.TempDir()).Bucket(store.Artifacts)
	const keys, size = 100, 1 << 20 // more than the server sends unanswered
	value := make([]byte, size)
	for i := range keys {
		if _, err := b.Create(t.Context(), fmt.Sprint("key", i), value); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	if err := b.Each(t.Context(), func(e store.Entry) error { n++; return nil }); err != nil || n != keys {
		t.Errorf("got %d, %v, want %d", n, err, keys)
	}
}

func TestASubscriberGetsEachRecordOfItsTaskOnce(t *testing.T) {
	log := open(t, t.TempDir()).Events()
	if err := log.Append("a", []byte("before")); err != nil {
		t.Fatal(err)
	}
	if err := log.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := make(chan string, 100)
	stop, err := log.Subscribe("a", func(record []byte) { got <- string(record) })
	if err != nil {
		t.Fatal(err)
	}
	for i := range 5 {
		for _, task := range []string{"a", "b"} {
			if err := log.Append(task, fmt.Append(nil, task, i)); err != nil {
				t.Fatal(err)
			}
		}
	}
	hear(t, got, "a0 a1 a2 a3 a4")
	stop()
	if err := log.Append("a", []byte("after")); err != nil {
		t.Fatal(err)
	}
	if err := log.Barrier(t.Context()); err != nil {
		t.Fatal(err)
	}
	if len(got) != 0 {
		t.Errorf("after stop: %q", <-got)
	}
}

func TestASingleServerHoldsItsLeaseAtOnce(t *testing.T) {
	st := open(t, t.TempDir())
	if st.Shared() || st.Replica() != "orchestrator" {
		t.Errorf("got %v, %s", st.Shared(), st.Replica())
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := st.Lease("scheduler", nil).Run(ctx, func(held context.Context, before []byte) {
		if held.Err() != nil || before != nil {
			t.Errorf("got %v, %q", held.Err(), before)
		}
		cancel()
		<-held.Done()
	})
	if err == nil {
		t.Error("no error of the context")
	}
}
