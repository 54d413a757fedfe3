package main

import (
	"bytes"
	"context"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestBenchComparesProxies runs the program with the upstream and llorch, and with a
// proxy that runs already: the upstream itself.
func TestBenchComparesProxies(t *testing.T) {
	dir := t.TempDir()
	figures, plot := filepath.Join(dir, "figures.json"), filepath.Join(dir, "plot.svg")
	var out, progress bytes.Buffer
	err := run(t.Context(), []string{
		"-rounds", "1", "-shapes", "json/0.5KB", "-peers", "direct,llorch,llorch-bare", "-json", figures, "-svg", plot,
	}, &out, &progress)
	if err != nil {
		t.Fatalf("%v\n%s%s", err, &progress, &out)
	}
	for _, want := range []string{"json/0.5KB", "llorch-bare", "resident MiB", "no proxy"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table has no %q:\n%s", want, &out)
		}
	}
	text, err := os.ReadFile(figures)
	if err != nil {
		t.Fatal(err)
	}
	var got result
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	for _, row := range got.Rows {
		if measured := row.CPU.Median > 0; measured != (row.Proxy != "direct") || row.First.Median <= 0 || row.Wall.Median <= 0 {
			t.Errorf("%+v: want times, and processor time of a proxy", row)
		}
	}
	if len(got.Rows) != 3 || got.Idle["llorch"] < 1 || got.Loaded["llorch"] < 1 {
		t.Errorf("%d rows, memory %v and %v", len(got.Rows), got.Idle, got.Loaded)
	}
	drawing, err := os.Open(plot)
	if err != nil {
		t.Fatal(err)
	}
	defer drawing.Close()
	bars := 0
	for decoder := xml.NewDecoder(drawing); ; {
		token, err := decoder.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("the plot: %v", err)
		}
		if e, ok := token.(xml.StartElement); ok && e.Name.Local == "rect" {
			bars++
		}
	}
	if bars != 2 {
		t.Errorf("the plot has %d bars, want one for each proxy whose processor time is known", bars)
	}
}

func TestBenchRefusesWhatItHasNot(t *testing.T) {
	for args, want := range map[string]string{
		"-shapes none":            `no kind of request "none"`,
		"-peers none":             `no proxy "none"`,
		"-rounds 0":               "at least one round",
		"-peers direct -url none": "NAME=URL",
	} {
		if err := run(t.Context(), strings.Fields(args), io.Discard, io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", args, err, want)
		}
	}
}

// TestBenchStopsAtAWrongAnswer: a proxy that refuses must not count as a fast one.
func TestBenchStopsAtAWrongAnswer(t *testing.T) {
	b, err := newSite("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer b.close()
	p := &proxy{Name: "direct", base: b.upstream.URL + "/none"}
	if _, err := b.turn(t.Context(), p, shapes[len(shapes)-1]); err == nil || !strings.Contains(err.Error(), "404") {
		t.Errorf("%v, want the status", err)
	}
}

// TestBenchEndsWithoutAnAnswer: a proxy of -url may accept and never answer.
func TestBenchEndsWithoutAnAnswer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, stop := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		ended <- run(ctx, []string{"-peers", "direct", "-url", "silent=http://" + l.Addr().String()}, io.Discard, io.Discard)
	}()
	select {
	case err := <-ended:
		if err == nil || !strings.Contains(err.Error(), "silent does not answer") {
			t.Errorf("%v, want that it does not answer", err)
		}
	case <-time.After(30 * time.Second):
		t.Error("it waits on after it was told to stop")
	}
}
