package caddymodule

import (
	"encoding/binary"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"testing"
	"time"
)

var testRule = lockoutRule{failures: 3, window: time.Minute, ban: 5 * time.Minute}

func newTable(t testing.TB, capacity int) *lockoutTable {
	t.Helper()
	table, err := newLockoutTable(capacity, shared)
	if err != nil {
		t.Fatal(err)
	}
	return table
}

// failures sends n failures of one client and returns the last outcome.
func failures(table *lockoutTable, client string, n int, now time.Time) (last lockoutOutcome) {
	for range n {
		last = table.fail(netip.MustParseAddr(client), testRule, now)
	}
	return last
}

func TestAClientIsLockedOutAfterItsFailuresAndForAsLongAsSaid(t *testing.T) {
	table, now := newTable(t, 8), time.Unix(1_000_000, 0)
	if got := failures(table, "192.0.2.1", 2, now); got.locked || got.started {
		t.Errorf("after 2 failures: got %+v, want nothing", got)
	}
	if got := failures(table, "192.0.2.1", 1, now); got.locked || !got.started {
		t.Errorf("the third failure: got %+v, want a ban to start", got)
	}
	if got := failures(table, "192.0.2.1", 1, now.Add(time.Minute)); !got.locked || got.retry != 4*time.Minute {
		t.Errorf("a minute into the ban: got %+v, want locked for 4 more minutes", got)
	}
	if got := failures(table, "192.0.2.1", 1, now.Add(5*time.Minute)); got.locked || got.started {
		t.Errorf("after the ban: got %+v, want a new count", got)
	}
}

// TestTheFirstFailureAfterABanIsTheFirst: failures of before a ban do not count again, also
// where the window is longer than the ban.
func TestTheFirstFailureAfterABanIsTheFirst(t *testing.T) {
	table, now := newTable(t, 8), time.Unix(1_000_000, 0)
	rule := lockoutRule{failures: 3, window: time.Hour, ban: time.Minute}
	client := netip.MustParseAddr("192.0.2.1")
	for range 2 {
		for i := range rule.failures {
			if got := table.fail(client, rule, now); got.locked || got.started != (i == rule.failures-1) {
				t.Errorf("failure %d: got %+v, want a ban to start with number %d", i+1, got, rule.failures)
			}
		}
		if got := table.fail(client, rule, now.Add(rule.ban-time.Second)); !got.locked || got.started {
			t.Errorf("within the ban: got %+v, want locked", got)
		}
		now = now.Add(rule.ban)
	}
}

func TestFailuresOlderThanTheWindowDoNotCount(t *testing.T) {
	table, now := newTable(t, 8), time.Unix(1_000_000, 0)
	failures(table, "192.0.2.1", 2, now)
	if got := failures(table, "192.0.2.1", 1, now.Add(testRule.window+time.Second)); got.started {
		t.Errorf("got %+v, want the window to have begun again", got)
	}
}

func TestWhatCountsAsOneClient(t *testing.T) {
	for _, c := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "192.0.2.1", true},
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:2", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::1%eth1", true},
	} {
		if got := clientKey(netip.MustParseAddr(c.a)) == clientKey(netip.MustParseAddr(c.b)); got != c.same {
			t.Errorf("%s and %s: got same client %v, want %v", c.a, c.b, got, c.same)
		}
	}
}

// ipv6 makes the i-th /64.
func ipv6(i uint64) netip.Addr {
	var b [16]byte
	binary.BigEndian.PutUint64(b[:8], 0x2001_0db8_0000_0000+i)
	return netip.AddrFrom16(b)
}

func TestAFloodOfNewClientsEndsNoBan(t *testing.T) {
	table, now := newTable(t, 100), time.Unix(1_000_000, 0)
	failures(table, "192.0.2.1", 3, now) // locked
	failures(table, "192.0.2.2", 2, now) // one short of it
	for i := range uint64(10_000) {
		table.fail(ipv6(i), testRule, now)
	}
	if got := failures(table, "192.0.2.1", 1, now); !got.locked {
		t.Errorf("the locked client after a flood: got %+v, want locked", got)
	}
	if got := failures(table, "192.0.2.2", 1, now); !got.started {
		t.Errorf("the watched client after a flood: got %+v, want its third failure to lock it", got)
	}
}

func TestAFullTableOfBansEndsNoBan(t *testing.T) {
	table, now := newTable(t, 4), time.Unix(1_000_000, 0)
	for i := range uint64(10) {
		for range 4 {
			table.fail(ipv6(i), testRule, now)
		}
	}
	for i := range uint64(10) {
		if got := table.fail(ipv6(i), testRule, now); !got.locked {
			t.Errorf("client %d: got %+v, want locked", i, got)
		}
	}
}

func TestBansEndByThemselves(t *testing.T) {
	table, now := newTable(t, 8), time.Unix(1_000_000, 0)
	failures(table, "192.0.2.1", 3, now)
	failures(table, "2001:db8::1", 3, now.Add(time.Minute))
	if freed := table.expire(now.Add(5*time.Minute - 1)); len(freed) != 0 {
		t.Errorf("before the end: freed %v", freed)
	}
	if freed := table.expire(now.Add(5 * time.Minute)); len(freed) != 1 || clientText(freed[0]) != "192.0.2.1" {
		t.Errorf("at the end of the first: freed %v", freed)
	}
	if bans, _ := table.list(now.Add(5*time.Minute), maxClients); len(bans) != 1 || bans[0].Client != "2001:db8::/64" {
		t.Errorf("left: %v", bans)
	}
}

// TestMillionsOfClientsLeaveMemoryFlat floods a table of the real size: with a
// million clients, and with ten when LLORCH_LONG_TESTS is set.
func TestMillionsOfClientsLeaveMemoryFlat(t *testing.T) {
	clients := uint64(1_000_000)
	if os.Getenv("LLORCH_LONG_TESTS") != "" {
		clients = 10_000_000
	}
	table, now := newTable(t, maxClients), time.Unix(1_000_000, 0)
	failures(table, "192.0.2.1", 3, now)
	for i := range uint64(maxClients) {
		table.fail(ipv6(i), testRule, now)
	}
	full := heapBytes()
	for i := range clients {
		table.fail(ipv6(i), testRule, now)
		if i%1000 == 0 {
			now = now.Add(time.Second) // long enough for places to fall free
		}
		if i%100_000 == 0 {
			failures(table, "192.0.2.1", 1, now)
		}
	}
	if grown := heapBytes() - full; grown > 8<<20 {
		t.Errorf("%d clients: the heap grew by %d bytes after the table was full", clients, grown)
	}
	if n := table.watched.Len(); n > maxClients {
		t.Errorf("watched: %d, want at most %d", n, maxClients)
	}
}

func heapBytes() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

func TestLockoutAtTheGate(t *testing.T) {
	up := newUpstream(t, nil)
	globals := "\tauthmin {\n\t\ttoken ci {env.TEST_INFER} infer\n\t\tlockout 3 1m 5m\n\t}\n"
	site := "\tauthmin {\n\t\tpublic /open\n\t\trequire infer /v1/*\n\t}\n\treverse_proxy " + up.address() + "\n"
	g := serve(t, false, globals, site)
	t.Cleanup(forgetLockouts(t))
	guess := func(i int) *http.Response {
		answer, _ := g.ask(t, plainClient(), "GET", "/v1/x", fmt.Sprintf("Authorization: Bearer guess-%040d", i))
		return answer
	}
	expect := func(what string, answer *http.Response, status int) {
		t.Helper()
		if answer.StatusCode != status {
			t.Errorf("%s: got %d, want %d", what, answer.StatusCode, status)
		}
	}
	ask := func(path string, fields ...string) *http.Response {
		answer, _ := g.ask(t, plainClient(), "GET", path, fields...)
		return answer
	}
	for range 20 {
		expect("no token is no failure", ask("/v1/x"), 401)
	}
	for i := range 3 {
		expect("a guess", guess(i), 401)
		expect("a valid token does not wipe the count", ask("/v1/x", asUser), 200)
	}
	locked := guess(4)
	expect("a guess too many", locked, 429)
	if locked.Header.Get("Retry-After") == "" {
		t.Error("429 without Retry-After")
	}
	expect("a valid token from the locked client", ask("/v1/x", asUser), 200)
	expect("a public route for the locked client", ask("/open"), 200)
	expect("a header that claims another address", ask("/v1/x", "Authorization: Bearer wrong", "X-Forwarded-For: 198.51.100.7"), 429)
	g.load(t, globals, "\theader X-Other 1\n"+site)
	expect("a guess after a reload", guess(5), 429)
}

// forgetLockouts empties the process's table for the tests that follow.
func forgetLockouts(t *testing.T) func() {
	return func() {
		state, err := acquireState(shared)
		if err != nil {
			t.Fatal(err)
		}
		defer releaseState()
		state.lockouts.mu.Lock()
		defer state.lockouts.mu.Unlock()
		state.lockouts.locked.Purge()
		state.lockouts.watched.Purge()
	}
}
