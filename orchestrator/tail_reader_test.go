package orchestrator_test

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/app"
	"github.com/llorch/gateway/orchestrator/httpapi"
	"github.com/llorch/gateway/orchestrator/store"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// TestAThousandReadersOfOneTaskShareItsTail has them join before, during and
// after the task, and counts what JetStream has to keep for them.
func TestAThousandReadersOfOneTaskShareItsTail(t *testing.T) {
	const readers, tokens = 1000, 200
	half, goOn := make(chan struct{}), make(chan struct{})
	s := start(t, app.Options{})
	s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
		out.tokens(tokens / 2)
		close(half)
		out.await(goOn)
		out.tokens(tokens / 2)
		out.end(tokens)
	}), 1)
	id := s.submit("")
	testkit.Receive(t, half, "half of the answer")
	var open, done sync.WaitGroup
	open.Add(readers)
	failures := make(chan string, readers)
	for range readers {
		r := s.request("ci", "infer", "GET", "/v2/tasks/"+id+"/events", nil)
		done.Go(func() {
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				open.Done()
				failures <- err.Error()
				return
			}
			defer res.Body.Close()
			st, next := &stream{res, bufio.NewScanner(res.Body)}, 1
			for ev, ok := st.next(); ok; ev, ok = st.next() {
				if ev.ID != strconv.Itoa(next) {
					failures <- fmt.Sprintf("got event %s, want %d", ev.ID, next)
				}
				if next == tokens/2 {
					open.Done()
				}
				next++
			}
			if next != tokens+3 {
				failures <- fmt.Sprintf("got %d events, want %d", next-1, tokens+2)
			}
		})
	}
	open.Wait()
	if text := s.metrics(); !strings.Contains(text, "\nllorch_store_consumers 0\n") {
		at := strings.Index(text, "\nllorch_store_consumers ")
		t.Errorf("with %d open readers: %s", readers, text[at:][:40])
	}
	close(goOn)
	done.Wait()
	close(failures)
	for f := range failures {
		t.Error(f)
	}
}

// TestAStalledReaderIsCutAndResumes opens a stream on a bare socket with small
// buffers and does not read, while more comes than the kernel keeps.
func TestAStalledReaderIsCutAndResumes(t *testing.T) {
	const tokens, size = 14_000, 1000
	goOn := make(chan struct{})
	s := start(t, app.Options{Streams: httpapi.Streams{SlowReader: 200 * time.Millisecond}})
	s.join("n1", newPool(t, func(out *sink, _ nodeapi.DispatchRequest) {
		out.await(goOn)
		for i := range tokens {
			out.send(nodeapi.Event{Type: nodeapi.EventToken, Text: strings.Repeat("x", size), Index: i})
		}
		out.end(tokens)
	}), 1)
	id := s.submit("")
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.(*net.TCPConn).SetReadBuffer(64 << 10); err != nil {
		t.Fatal(err)
	}
	if err := s.request("ci", "infer", "GET", "/v2/tasks/"+id+"/events", nil).Write(conn); err != nil {
		t.Fatal(err)
	}
	in := bufio.NewReader(conn)
	res, err := http.ReadResponse(in, nil)
	if err != nil {
		t.Fatal(err)
	}
	close(goOn)
	testkit.Within(t, 30*time.Second, "the task is done and its reader cut", func() error {
		_, cut, _ := strings.Cut(s.metrics(), "\nllorch_stream_readers_cut_total ")
		if state := s.state(id); state != "completed" || !strings.HasPrefix(cut, "1\n") {
			return fmt.Errorf("%s, %.1s readers cut", state, cut)
		}
		return nil
	})
	first := (&stream{res, bufio.NewScanner(res.Body)}).rest()
	last := first[len(first)-1]
	if last.Type != "token" || len(first) >= tokens {
		t.Fatalf("the stalled reader got %d events up to %s", len(first), last.Type)
	}
	all := first
	for all[len(all)-1].Type == "token" { // on a busy machine this reader is cut, too
		rest := s.follow(id, all[len(all)-1].ID).rest()
		if len(rest) == 0 {
			t.Fatalf("nothing comes after event %d", len(all))
		}
		all = append(all, rest...)
	}
	if len(all) != tokens+2 || all[len(all)-1].Type != "end" {
		t.Errorf("got %d events, the last is %v, want %d in all", len(all), all[len(all)-1], tokens+2)
	}
	for i, ev := range all {
		if ev.ID != strconv.Itoa(i+1) {
			t.Fatalf("event %d has id %s", i+1, ev.ID)
		}
	}
	t.Logf("cut after %d of %d events", len(first), tokens+2)
}

// TestHistoryThatIsGoneIsAGap takes the events of an ended task away, as their
// age does after an hour.
func TestHistoryThatIsGoneIsAGap(t *testing.T) {
	dir := t.TempDir()
	s := start(t, app.Options{StateDir: dir})
	s.join("n1", newPool(t, echo(20)), 1)
	id := s.submit("")
	s.follow(id, "").rest()
	s.Stop(context.Background())
	st, err := store.Open(t.Context(), store.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	if err := st.Events().Forget(t.Context(), id); err != nil {
		t.Fatal(err)
	}
	if err := st.Close(); err != nil {
		t.Fatal(err)
	}
	s = start(t, app.Options{StateDir: dir})
	for after, want := range map[string]string{"": `{"from":1,"to":21}`, "7": `{"from":8,"to":21}`} {
		events := s.follow(id, after).rest()
		if types(events) != "gap end" || events[0].Data != want || events[0].ID != "21" || events[1].ID != "22" {
			t.Errorf("after %q: got %v, want the gap %s and the end", after, events, want)
		}
	}
	if events := s.follow(id, "21").rest(); types(events) != "end" {
		t.Errorf("after the gap: got %v, want the end alone", events)
	}
}
