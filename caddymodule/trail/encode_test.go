package trail

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"pgregory.net/rapid"
)

func recordOf(attrs ...slog.Attr) slog.Record {
	r := slog.NewRecord(time.Date(2026, 11, 22, 1, 2, 3, 4000, time.UTC), slog.LevelWarn, "auth_failed", 0)
	r.AddAttrs(attrs...)
	return r
}

func TestARecordIsOneLineOfJSON(t *testing.T) {
	r := recordOf(
		slog.Uint64("seq", 7), slog.String("event", "auth_failed"), slog.Int("status", 401),
		slog.Bool("shadow", true), slog.Time("since", time.Unix(0, 0)), slog.Any("token", chainKey))
	got := string(AppendRecord(nil, &r))
	want := `{"time":"2026-11-22T01:02:03.000004Z","level":"WARN","seq":7,"event":"auth_failed","status":401,"shadow":true,"since":"1970-01-01T00:00:00Z","token":"[redacted]"}`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// What a client can send: it cannot end the string, the line or the record, and
// the record with its chain stays below the bound.
func TestNoTextBreaksARecord(t *testing.T) {
	text := rapid.OneOf(
		rapid.String(),
		rapid.SampledFrom([]string{
			"\n", "\r\n{\"event\":\"auth_success\"}", "\u2028", "\x00\x1b[2J", "\xff\xfe\xc0\xaf", "\u202e", `"`, `\`, `\"`, "\x7f", "\ufeff",
			strings.Repeat(`"`, 3000), strings.Repeat("é", 3000), strings.Repeat("a", 100000), strings.Repeat("\xff", 3000), strings.Repeat("\x01", 3000),
		}),
	)
	rapid.Check(t, func(t *rapid.T) {
		var attrs []slog.Attr
		for _, key := range []string{"path", "host", "user_agent", "method", "rule", "client_ip", "error", "correlation_id"} {
			attrs = append(attrs, slog.String(key, text.Draw(t, key)))
		}
		r := recordOf(append(attrs, slog.Int("status", 503))...)
		line := AppendRecord(nil, &r)
		if n := len(line) + chainSize; n > MaxRecord {
			t.Errorf("%d bytes with the chain, over %d", n, MaxRecord)
		}
		if bytes.ContainsAny(line, "\r\n\x00\x1b\x7f") || !utf8.Valid(line) {
			t.Errorf("a line that can break: %q", line)
		}
		got := map[string]any{}
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%v: %q", err, line)
		}
		if len(got) != 2+len(attrs)+1 || got["status"] != 503.0 {
			t.Errorf("fields lost or added: %v", got)
		}
	})
}

func TestOrdinaryTextIsWrittenAsItIs(t *testing.T) {
	r := recordOf(slog.String("path", `/v1/models/größe:7b@"x"\y`))
	got := map[string]any{}
	if err := json.Unmarshal(AppendRecord(nil, &r), &got); err != nil {
		t.Fatal(err)
	}
	if got["path"] != `/v1/models/größe:7b@"x"\y` {
		t.Errorf("got %q", got["path"])
	}
}

func TestARecordCostsNoAllocation(t *testing.T) {
	r := recordOf(slog.Uint64("seq", 7), slog.String("event", "auth_failed"), slog.String("path", "/v1/größe"), slog.Int("status", 401))
	buf := make([]byte, 0, MaxRecord)
	if n := testing.AllocsPerRun(100, func() { buf = AppendRecord(buf[:0], &r) }); n != 0 {
		t.Errorf("%v allocations a record", n)
	}
}

// The general encoder's time is that of the layout.
func TestAppendTimeMatchesTheLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(-62135596800, 253402300799).Draw(t, "seconds"), rapid.Int64Range(0, 999999999).Draw(t, "nanoseconds")).UTC()
		if got, want := string(appendTime(nil, at)), at.Format(timeLayout); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}
