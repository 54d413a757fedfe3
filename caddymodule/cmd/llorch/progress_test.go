package main

import (
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// A terminal has one line that is written again; a file gets a line now and then.
func TestProgressOfADownload(t *testing.T) {
	const gib = 1 << 30
	for name, c := range map[string]struct {
		live bool
		want string
	}{
		"a terminal": {true, "\r\x1b[Kdownloading the model: 2.0 GiB of 8.0 GiB (25 %), 1.0 GiB/s, 6s left" +
			"\r\x1b[Kdownloading the model: 5.5 GiB of 8.0 GiB (68 %), 460.8 MiB/s, 6s left\n" +
			"\r\x1b[Kloading the model, 8.0 GiB: 3s\n"},
		"a file": {false, "downloading the model: 5.5 GiB of 8.0 GiB (68 %), 460.8 MiB/s, 6s left\n"},
	} {
		var out strings.Builder
		m := progressMeter{to: &out, live: c.live}
		at := time.Unix(1, 0)
		for _, look := range []struct {
			after time.Duration
			p     *nodeapi.Progress
		}{
			{0, nil},
			{0, &nodeapi.Progress{Phase: nodeapi.PhaseDownloading, DoneBytes: gib, TotalBytes: 8 * gib}}, // resumed: a rate is not known yet
			{liveInterval, &nodeapi.Progress{Phase: nodeapi.PhaseDownloading, DoneBytes: 2 * gib, TotalBytes: 8 * gib}},
			{liveInterval / 2, &nodeapi.Progress{Phase: nodeapi.PhaseDownloading, DoneBytes: 3 * gib, TotalBytes: 8 * gib}},
			{readyNotice - liveInterval*3/2, &nodeapi.Progress{Phase: nodeapi.PhaseDownloading, DoneBytes: gib * 11 / 2, TotalBytes: 8 * gib}},
			{liveInterval, &nodeapi.Progress{Phase: nodeapi.PhaseStarting, TotalBytes: 8 * gib}},
			{3 * liveInterval, &nodeapi.Progress{Phase: nodeapi.PhaseStarting, TotalBytes: 8 * gib}},
			{liveInterval, nil},
		} {
			at = at.Add(look.after)
			shown := m.update(at, look.p)
			if want := look.p != nil && (c.live || look.p.Phase == nodeapi.PhaseDownloading); shown != want {
				t.Errorf("%s: %+v is shown: %v, want %v", name, look.p, shown, want)
			}
		}
		if got := out.String(); got != c.want {
			t.Errorf("%s: got\n%q\nwant\n%q", name, got, c.want)
		}
	}
}

func TestBytesForPeople(t *testing.T) {
	for n, want := range map[int64]string{0: "0 B", 1023: "1023 B", 1 << 10: "1.0 KiB", 1000 << 10: "1.0 MiB", 3 << 29: "1.5 GiB", 1<<63 - 1: "8.0 EiB"} {
		if got := bytesText(n); got != want {
			t.Errorf("%d: got %s, want %s", n, got, want)
		}
	}
}
