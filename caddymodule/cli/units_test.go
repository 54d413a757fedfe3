package cli

import (
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
)

var someDay = time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)

func TestMomentsOfFlags(t *testing.T) {
	for text, want := range map[string]int64{
		"":                          0,
		"90d":                       someDay.AddDate(0, 0, 90).Unix(),
		"1h30m":                     someDay.Add(90 * time.Minute).Unix(),
		"0s":                        someDay.Unix(),
		"2027-01-31T00:00:00Z":      time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC).Unix(),
		"2027-01-31T02:00:00+02:00": time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC).Unix(),
	} {
		if got, err := parseWhen("--expires", text, someDay); err != nil || got != want {
			t.Errorf("%q: got %d (%v), want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"soon", "-1h", "90", "2027-01-31", "1969-12-31T00:00:00Z"} {
		if got, err := parseWhen("--expires", text, someDay); err == nil {
			t.Errorf("%q: got %d, want a refusal", text, got)
		}
	}
}

func TestRotationEndsTheOldTokenAndKeepsItsScopesAndLife(t *testing.T) {
	const day = 24 * 60 * 60
	now, end := someDay.Unix(), someDay.Unix()+day
	token := func(name string, created, expires int64, revoked bool) authmin.Token {
		t := authmin.NewToken(name, authmin.RandomSecret(), authmin.ScopeInfer)
		t.Created, t.Expires, t.Revoked = created, expires, revoked
		return t
	}
	for name, c := range map[string]struct {
		old     authmin.Token
		oldEnds int64
		newEnds int64 // -1: refused
	}{
		"without an end":             {token("ci", now-9, 0, false), end, 0},
		"made for 90 days":           {token("ci", now-80*day, now+10*day, false), end, now + 90*day},
		"ending within the overlap":  {token("ci", now-90*day+60, now+60, false), now + 60, now + 90*day},
		"of unknown age":             {token("ci", 0, now+10*day, false), end, now + 10*day},
		"expired":                    {token("ci", now-9, now-1, false), 0, -1},
		"revoked":                    {token("ci", now-9, 0, true), 0, -1},
		"of another name":            {token("other", now-9, 0, false), 0, -1},
		"not valid yet, it is known": {token("ci", now, now+100*day, false), end, now + 100*day},
	} {
		next := authmin.NewToken("ci", authmin.RandomSecret())
		next.Created = now
		got, err := rotated([]authmin.Token{c.old}, next, someDay, end)
		if c.newEnds < 0 {
			if err == nil {
				t.Errorf("%s: accepted", name)
			}
			continue
		}
		if err != nil || len(got) != 2 {
			t.Errorf("%s: got %d tokens (%v), want 2", name, len(got), err)
			continue
		}
		if got[0].Expires != c.oldEnds || got[1].Expires != c.newEnds || len(got[1].Scopes) != 1 {
			t.Errorf("%s: got ends %d and %d with scopes %v, want %d and %d with the old scopes", name, got[0].Expires, got[1].Expires, got[1].Scopes, c.oldEnds, c.newEnds)
		}
	}
}

func TestURLsAreCutByteForByte(t *testing.T) {
	for url, want := range map[string][2]string{
		"/a/../b":                   {"", "/a/../b"},
		"/x?u=http://h/":            {"", "/x?u=http://h/"},
		"https://h.example/a//b":    {"h.example", "/a//b"},
		"http://127.0.0.1:8080":     {"127.0.0.1:8080", "/"},
		"http://[::1]:8080/%2e%2e/": {"[::1]:8080", "/%2e%2e/"},
		"http://h?q":                {"h", "/?q"},
		"nonsense":                  {"", "nonsense"},
	} {
		if authority, target := splitURL(url); authority != want[0] || target != want[1] {
			t.Errorf("%s: got %q %q, want %q", url, authority, target, want)
		}
	}
}

func TestKernelAddresses(t *testing.T) {
	for text, want := range map[string]string{
		"0100007F:07E3":                         "127.0.0.1:2019",
		"00000000:2CAA":                         "0.0.0.0:11434",
		"00000000000000000000000000000000:1F90": "[::]:8080",
		"00000000000000000000000001000000:1F90": "[::1]:8080",
		"0000000000000000FFFF00000100007F:1F90": "127.0.0.1:8080",
	} {
		if got, ok := parseProcAddr(text); !ok || got.String() != want {
			t.Errorf("%s: got %s %v, want %s", text, got, ok, want)
		}
	}
	for _, text := range []string{"", "0100007F", "0100007F:", "01:07E3", "zz00007F:07E3", "0100007F:FFFFF"} {
		if got, ok := parseProcAddr(text); ok {
			t.Errorf("%q: got %s, want a refusal", text, got)
		}
	}
}

func TestRemoteForwardingIsKnown(t *testing.T) {
	for arg, want := range map[string]bool{
		"-R": true, "-R8080:localhost:8080": true, "-fNR": true, "-oRemoteForward=1 2": true,
		"-L": false, "-i": false, "-l": false, "-fN": false, "R": false, "-D1080": false,
	} {
		if got := sshRemote.MatchString(arg); got != want {
			t.Errorf("%s: got %v, want %v", arg, got, want)
		}
	}
}
