package caddymodule

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/caddymodule/trail"
	"pgregory.net/rapid"
)

// asFields is a decision's record as any other: with its fields as attributes.
func asFields(d *decisionRecord) *slog.Record {
	r := slog.NewRecord(d.time, d.level, d.event, 0)
	r.AddAttrs(d.LogValue().Group()...)
	return &r
}

// What a decision writes of itself is what the general encoder makes of its
// fields, whatever the source of the text in them.
func TestADecisionIsEncodedAsItsFieldsAre(t *testing.T) {
	text := rapid.OneOf(
		rapid.String(), rapid.StringMatching(`[ -~]{0,80}`),
		rapid.SampledFrom([]string{
			"", "a", `"`, `\`, "\n", "\x7f", "\xff", "\u2028", "é", strings.Repeat("a", 1188), strings.Repeat("a", 1189), strings.Repeat("a", 1190),
			strings.Repeat("a", 5000), strings.Repeat(`"`, 900), strings.Repeat("é", 900),
		}),
	)
	rapid.Check(t, func(t *rapid.T) {
		draw := func(name string) string { return text.Draw(t, name) }
		d := &decisionRecord{
			time:  time.Unix(rapid.Int64Range(0, 253402300799).Draw(t, "seconds"), rapid.Int64Range(0, 999999999).Draw(t, "nanoseconds")),
			level: rapid.SampledFrom([]slog.Level{slog.LevelInfo, slog.LevelWarn, slog.LevelError}).Draw(t, "level"),
			seq:   rapid.Uint64().Draw(t, "seq"),
			event: draw("event"), decision: draw("decision"), guard: draw("guard"),
			identity: draw("identity"), token: draw("token"), fp6: draw("fp6"), reason: draw("reason"), rule: draw("rule"),
			method: draw("method"), path: draw("path"), host: draw("host"),
			remote: rapid.SampledFrom([]netip.Addr{
				{}, netip.MustParseAddr("10.1.2.3"), netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr(`fe80::1%eth0"`), netip.MustParseAddr("::ffff:1.2.3.4"),
			}).Draw(t, "remote"),
			clientIP: draw("client_ip"), userAgent: draw("user_agent"), correlationID: draw("correlation_id"),
			model:  draw("model"),
			status: rapid.SampledFrom([]int{0, 401, 503}).Draw(t, "status"),
			count:  rapid.SampledFrom([]int{0, 1, 1 << 40}).Draw(t, "count"), reasons: draw("reasons"),
			since: time.Unix(rapid.Int64Range(0, 253402300799).Draw(t, "since"), 0),
		}
		if got, want := string(d.json()), string(trail.AppendRecord(nil, asFields(d))); got != want {
			t.Errorf("got\n%s\nwant\n%s", got, want)
		}
		if n := len(d.json()); n > trail.MaxLine {
			t.Errorf("%d bytes, over %d", n, trail.MaxLine)
		}
	})
}

// The line that operators' tools read: its fields and their order stay.
func TestADecisionsLine(t *testing.T) {
	d := &decisionRecord{
		time: time.Date(2026, 1, 2, 3, 4, 5, 67_000, time.FixedZone("", 3600)), level: slog.LevelWarn, seq: 7,
		event: eventRefused, decision: decisionRefuse, guard: "edge", identity: "token:abc123", token: "ci", fp6: "abc123",
		reason: "scope", rule: "require infer /v1/*", method: "POST", path: `/v1/"x"`, host: "h:1", remote: netip.MustParseAddr("10.0.0.1"),
		clientIP: "10.0.0.2", userAgent: "größe", correlationID: "id-1", status: 403,
	}
	want := `{"time":"2026-01-02T02:04:05.000067Z","level":"WARN","seq":7,"event":"auth_failed","decision":"refuse","guard":"edge",` +
		`"identity":"token:abc123","token":"ci","fp6":"abc123","reason":"scope","rule":"require infer /v1/*","method":"POST","path":"/v1/\"x\"",` +
		`"host":"h:1","remote_ip":"10.0.0.1","client_ip":"10.0.0.2","user_agent":"größe","correlation_id":"id-1","status":403}`
	if got := string(d.json()); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// A record is given back when its sinks have returned: nothing of one request
// stands in another's.
func TestARecordIsEmptyWhenItIsUsedAgain(t *testing.T) {
	d := decisionRecords.Get().(*decisionRecord)
	d.path, d.status, d.line = "/x", 403, append(d.line, "x"...)
	d.recycle()
	if d.path != "" || d.status != 0 || len(d.line) != 0 {
		t.Errorf("got %+v", d)
	}
}
