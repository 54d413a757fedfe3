package authmin

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestParseMounts(t *testing.T) {
	const table = `36 35 98:0 /mnt1 /mnt2 rw,noatime master:1 - ext3 /dev/root rw,errors=continue
612 600 254:1 /srv/my\040tokens//deleted /etc/llorch/tok\011ens\134x rw,relatime - ext4 /dev/vda1 rw
short line
`
	mounts, err := ParseMounts(strings.NewReader(table))
	want := []Mount{
		{"98:0", "/mnt1", "/mnt2"},
		{"254:1", "/srv/my tokens//deleted", "/etc/llorch/tok\tens\\x"},
	}
	if err != nil || fmt.Sprint(mounts) != fmt.Sprint(want) {
		t.Errorf("got %q, %v, want %q", mounts, err, want)
	}
	for text, want := range map[string]string{`\0`: `\0`, `\089`: `\089`, `\777`: `\777`, `a\040`: "a ", `\\040`: `\ `} {
		if got := unescapeMount(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

func TestAnOrdinaryFileIsNoMountPoint(t *testing.T) {
	path := filepath.Join(t.TempDir(), "token")
	writeFile(t, path, []byte(tokenOf("a")), 0o600)
	if mounted, err := IsMountPoint(path); mounted || err != nil {
		t.Errorf("got %v, %v, want none", mounted, err)
	}
	if err := DetachedError(path, FileStateOf(path)); err != nil {
		t.Errorf("an ordinary file: %v", err)
	}
}

// An open file whose name has gone is what a mount of a single file shows after
// its replacement outside: /proc has a path to one without any mount.
func TestAFileThatWasReplacedOutsideIsNoticed(t *testing.T) {
	if _, err := os.Stat(mountTable); err != nil {
		t.Logf("this system has no table of mounts: %v", err)
		return
	}
	path := filepath.Join(t.TempDir(), "token")
	writeFile(t, path, []byte(tokenOf("a")), 0o600)
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	inside := fmt.Sprintf("/proc/self/fd/%d", f.Fd())
	s, err := FileSecret("token", "a", inside)
	if err != nil {
		t.Fatal(err)
	}
	var events []SecretEvent
	w := NewSecretWatch([]*SecretSource{s}, func(func(*SecretSource) Secret) error { return nil }, func(e SecretEvent) { events = append(events, e) })
	w.Look()
	replace(t, path, tokenOf("fresh"))
	for range 4 {
		w.Look()
	}
	if len(events) != 1 || events[0].Err == nil || !strings.Contains(events[0].Err.Error(), "replaced or removed outside") {
		t.Errorf("got events %v, want that the file has been replaced outside, once", events)
	}
	if !s.Secret().Equal(secretOf("a")) {
		t.Error("the last good secret is gone")
	}
}

func TestMountPointsAreKnown(t *testing.T) {
	if _, err := os.Stat(mountTable); err != nil {
		t.Logf("this system has no table of mounts: %v", err)
		return
	}
	if mounted, err := IsMountPoint("/proc"); !mounted || err != nil {
		t.Errorf("/proc: got %v, %v, want a mount point", mounted, err)
	}
}
