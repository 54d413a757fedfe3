package gatewaytest

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// upLimit is how long "llorch up" may take until everything answers; a busy
// machine of two cores needs some seconds.
const upLimit = 60 * time.Second

// Up is a running "llorch up".
type Up struct {
	*Process
	Client
	Address string // host:port of the gateway
	Page    string // host:port of its page; "" where the arguments say where it is, or that there is none
	Dir     string // the data directory
}

// StartUp runs "llorch up" on a free port with the given variables and waits
// until it has printed its lines to paste. The token is LLORCH_API_TOKEN of
// env, else the one that it prints.
func StartUp(t testing.TB, env []string, args ...string) *Up {
	t.Helper()
	return StartUpIn(t, t.TempDir(), env, args...)
}

// StartUpIn is StartUp with a data directory that outlives it.
func StartUpIn(t testing.TB, dir string, env []string, args ...string) *Up {
	t.Helper()
	address := testkit.FreeAddress(t)
	all := append([]string{"up", "--listen", address, "--data-dir", dir}, args...)
	page := ""
	if !slices.Contains(args, "--page") && !slices.Contains(args, "--config") {
		page = testkit.FreeAddress(t) // two of them may start at once
		all = append(all, "--page", page)
	}
	u := &Up{Process: Start(t, env, all...), Address: address, Page: page, Dir: dir}
	u.Base = "http://" + address
	testkit.Within(t, upLimit, "the lines to paste", func() error {
		select {
		case <-u.Exited():
			log, _ := os.ReadFile(filepath.Join(dir, "llorch.log"))
			t.Fatalf("up has ended, exit code %d:\n%s%s", u.ExitCode(), u.Output(), log)
		default:
		}
		if n := len(u.PasteLines()); n < pasteLines {
			return fmt.Errorf("%d lines to paste, want %d:\n%s", n, pasteLines, u.Output())
		}
		return nil
	})
	for _, v := range env {
		if token, ok := strings.CutPrefix(v, "LLORCH_API_TOKEN="); ok {
			u.Token = token
		}
	}
	if u.Token == "" {
		u.Token = PrintedToken(u.Output())
	}
	return u
}

// pasteLines: a request without a token, a task, its stream, the metrics.
const pasteLines = 4

// PasteLines are the commands that up prints for a person to paste.
func (u *Up) PasteLines() []string {
	var lines []string
	for line := range strings.Lines(u.Output()) {
		line = strings.TrimSpace(line)
		if strings.HasPrefix(line, "curl ") || strings.Contains(line, "$(curl ") {
			lines = append(lines, line)
		}
	}
	return lines
}

var printedToken = regexp.MustCompile(`LLORCH_API_TOKEN=([A-Za-z0-9_-]{43})\b`)

// PrintedToken finds a generated token in what up has printed, or nothing.
func PrintedToken(output string) string {
	if m := printedToken.FindStringSubmatch(output); m != nil {
		return m[1]
	}
	return ""
}

// Healthy asks the public route.
func (u *Up) Healthy() error {
	res, err := u.Client.As("").Do(http.MethodGet, "/ready", "")
	if err != nil {
		return err
	}
	if res.Status != http.StatusOK {
		return fmt.Errorf("GET /ready: %d", res.Status)
	}
	return nil
}
