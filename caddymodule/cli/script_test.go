package cli

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/llorch/gateway/authmin"
	"github.com/rogpeppe/go-internal/testscript"
)

// scriptCommands are what the scripts of testdata need besides the command
// line itself.
var scriptCommands = map[string]func(ts *testscript.TestScript, neg bool, args []string){
	"mode":     scriptMode,
	"secret":   scriptSecret,
	"gateway":  scriptGateway,
	"hold":     scriptHold,
	"listener": scriptListener,
	"cmperr":   scriptCompareErr,
}

// mode PATH OCTAL sees that a file has a mode.
func scriptMode(ts *testscript.TestScript, _ bool, args []string) {
	info, err := os.Stat(ts.MkAbs(args[0]))
	ts.Check(err)
	if got := fmt.Sprintf("%04o", info.Mode().Perm()); got != args[1] {
		ts.Fatalf("mode of %s: got %s, want %s", args[0], got, args[1])
	}
}

// secret FILE sees that a file holds one strong token and nothing else, and that
// neither stderr nor any other file holds it.
func scriptSecret(ts *testscript.TestScript, _ bool, args []string) {
	path := ts.MkAbs(args[0])
	text, ended := strings.CutSuffix(ts.ReadFile(args[0]), "\n")
	if err := authmin.CheckStrength(authmin.NewSecret(text)); err != nil || !ended {
		ts.Fatalf("%s is not one token and a line end (%v)", args[0], err)
	}
	if strings.Contains(ts.ReadFile("stderr"), text) {
		ts.Fatalf("the token is on stderr")
	}
	ts.Check(filepath.WalkDir(ts.MkAbs("."), func(name string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() || name == path {
			return err
		}
		content, err := os.ReadFile(name)
		if err == nil && strings.Contains(string(content), text) {
			ts.Fatalf("the token is in %s", name)
		}
		return err
	}))
}

// gateway SOCKET KEYRING answers on a Unix socket as a gateway does that reads a
// keyring late: it has the change at the third question. With a third argument
// `stuck` it never has, with `mute` its API is off.
func scriptGateway(ts *testscript.TestScript, _ bool, args []string) {
	const late = 3
	keyring := ts.MkAbs(args[1])
	before, err := os.ReadFile(keyring)
	ts.Check(err)
	var questions atomic.Int32
	handler := func(w http.ResponseWriter, r *http.Request) {
		content := before
		if questions.Add(1) >= late && len(args) == 2 {
			content, _ = os.ReadFile(keyring)
		}
		if len(args) > 2 && args[2] == "mute" {
			http.NotFound(w, r)
			return
		}
		_ = json.NewEncoder(w).Encode(gatewayAnswerOf(content, r.URL.Query().Get("name")))
	}
	listener, err := net.Listen("unix", ts.MkAbs(args[0]))
	ts.Check(err)
	server := &http.Server{Handler: http.HandlerFunc(handler)}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = server.Serve(listener)
	}()
	ts.Defer(func() {
		_ = server.Close()
		<-served
	})
}

func gatewayAnswerOf(content []byte, name string) map[string]any {
	sum := sha256.Sum256(content)
	tokens, _ := authmin.ParseKeyring(content)
	list := []map[string]any{}
	for i := range tokens {
		if tokens[i].Name == name {
			list = append(list, map[string]any{"name": name, "fp6": tokens[i].Fingerprint(), "state": "active"})
		}
	}
	return map[string]any{"tokens": list, "generations": []string{hex.EncodeToString(sum[:])}}
}

// hold FILE keeps a file locked, as another editor would, until the script ends.
func scriptHold(ts *testscript.TestScript, _ bool, args []string) {
	f, err := os.OpenFile(ts.MkAbs(args[0]), os.O_CREATE|os.O_RDWR, 0o600)
	ts.Check(err)
	ts.Check(syscall.Flock(int(f.Fd()), syscall.LOCK_EX))
	ts.Defer(func() { _ = f.Close() })
}

// listener DIR ADDRESS PORT writes a proc/net/tcp below DIR in which something
// listens there. The address is eight hexadecimal digits, as the kernel has it.
func scriptListener(ts *testscript.TestScript, _ bool, args []string) {
	dir := ts.MkAbs(args[0])
	ts.Check(os.MkdirAll(filepath.Join(dir, "net"), 0o755))
	text := "  sl  local_address rem_address   st\n"
	for i := 1; i+1 < len(args); i += 2 {
		var port int
		_, err := fmt.Sscan(args[i+1], &port)
		ts.Check(err)
		text += fmt.Sprintf("   0: %s:%04X 00000000:0000 0A 0:0\n", args[i], port)
	}
	ts.Check(os.WriteFile(filepath.Join(dir, "net", "tcp"), []byte(text), 0o644))
	ts.Check(os.WriteFile(filepath.Join(dir, "net", "tcp6"), nil, 0o644))
}

// cmperr FILE compares the whole of stderr with a file: one line, with the
// remedy.
func scriptCompareErr(ts *testscript.TestScript, _ bool, args []string) {
	if got, want := ts.ReadFile("stderr"), ts.ReadFile(args[0]); got != want {
		ts.Fatalf("stderr:\ngot  %swant %s", got, want)
	}
}
