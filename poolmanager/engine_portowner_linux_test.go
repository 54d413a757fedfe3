package poolmanager

import (
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestListenersOfOtherUsersAreRefused(t *testing.T) {
	dir := t.TempDir()
	head := "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	row := func(address, state, uid string) string {
		return "   0: " + address + " 00000000:0000 " + state + " 00000000:00000000 00:00000000 00000000 " + uid + "        0 12345 1 0 100 0 0 10 0\n"
	}
	for name, c := range map[string]struct {
		tcp, tcp6 string
		refused   bool
	}{
		"no listener":        {},
		"ours":               {tcp: row("0100007F:1F90", "0A", "1000")},
		"root's":             {tcp: row("0100007F:1F90", "0A", "0")},
		"another user's":     {tcp: row("0100007F:1F90", "0A", "1001"), refused: true},
		"one beside ours":    {tcp: row("0100007F:1F90", "0A", "1000") + row("00000000:1F90", "0A", "1001"), refused: true},
		"one with IPv6":      {tcp6: row("00000000000000000000000000000000:1F90", "0A", "1001"), refused: true},
		"another port":       {tcp: row("0100007F:1F91", "0A", "1001")},
		"a connection to it": {tcp: row("0100007F:1F90", "01", "1001")},
	} {
		for file, rows := range map[string]string{"tcp": c.tcp, "tcp6": c.tcp6} {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(head+rows), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if err := checkListeners(dir, 0x1f90, 1000); (err != nil) != c.refused {
			t.Errorf("%s: got %v", name, err)
		}
		if err := checkListeners(dir, 0x1f90, 0); err != nil {
			t.Errorf("%s, as root: got %v", name, err)
		}
	}
}

// TestTheKernelNamesAListenersUser asks as this user and as another one.
func TestTheKernelNamesAListenersUser(t *testing.T) {
	listener, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	port := listener.Addr().(*net.TCPAddr).Port
	if err := checkPort(port); err != nil {
		t.Error(err)
	}
	if err := checkListeners("/proc/net", port, os.Getuid()+1); (err != nil) != (os.Getuid() != 0) {
		t.Errorf("to another user: got %v", err)
	}
}

func TestAnEngineIsNeverReadyWhileAnotherUserListensOnItsPort(t *testing.T) {
	r := startRig(t, func(o *Options) { o.Templates[0].ReadyLimit = 300_000_000 })
	r.pools.env.engines.(*processes).owner = func(int) error { return errors.New("another user's port") }
	if _, err := r.client.Preload(t.Context(), "p", nodeapi.PreloadRequest{Template: "demo"}); err != nil {
		t.Fatal(err)
	}
	testkit.Eventually(t, "the failure", func() bool { return strings.Contains(r.status(t, "p").LastError, "another user's port") })
}
