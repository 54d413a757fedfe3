package live_test

import (
	"bufio"
	"crypto/sha256"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// The tokens: one to be taken back, one that stays.
const (
	tokenGone  = "live-gone-0123456789abcdef0123456789"
	tokenStays = "live-stays-0123456789abcdef012345678"
)

// A gateway with a keyring that the test rewrites.
type gateway struct {
	address, folder string
	admin           *http.Client
}

func startGateway(t *testing.T, upstream string) *gateway {
	t.Helper()
	g := &gateway{folder: t.TempDir(), address: testkit.FreeAddress(t)}
	_, port, _ := net.SplitHostPort(g.address)
	socket := filepath.Join(g.folder, "admin.sock")
	config := fmt.Sprintf(`{
	admin unix/%s|0600
	persist_config off
	log {
		output file %[2]s/log
	}
	authmin {
		token_file %[2]s/tokens
		lockout off
		audit file %[2]s/audit
	}
}
http://:%[3]s {
	bind 127.0.0.1
	authmin {
		require infer /v1/*
	}
	reverse_proxy %[4]s {
		stream_close_delay 1h
	}
}
`, socket, g.folder, port, upstream)
	if err := os.WriteFile(filepath.Join(g.folder, "Caddyfile"), []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	g.keyring(t, "")
	g.admin = testkit.SocketClient(socket)
	// GOGC: what is measured is the memory in use, not what is left for the collector.
	p := gatewaytest.Start(t, []string{"GOGC=100"}, "run", "--adapter", "caddyfile", "--config", filepath.Join(g.folder, "Caddyfile"))
	p.Listening(t, g.address)
	return g
}

// keyring writes the file as an operator's tool does: whole, then renamed.
func (g *gateway) keyring(t *testing.T, gone string) {
	t.Helper()
	text := fmt.Sprintf("gone sha256:%x infer%s\nstays sha256:%x infer\n# end 2\n",
		sha256.Sum256([]byte(tokenGone)), gone, sha256.Sum256([]byte(tokenStays)))
	path := filepath.Join(g.folder, "tokens")
	if err := os.WriteFile(path+".next", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".next", path); err != nil {
		t.Fatal(err)
	}
}

// open begins a stream on a connection of its own and reads its first event.
func (g *gateway) open(token string) (*stream, error) {
	conn, err := net.DialTimeout("tcp", g.address, 10*time.Second)
	if err != nil {
		return nil, err
	}
	_ = conn.SetDeadline(time.Now().Add(5 * time.Minute))
	s := &stream{conn, bufio.NewReaderSize(conn, 512)}
	_, err = fmt.Fprintf(conn, "GET /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", token)
	if err == nil {
		err = s.event()
	}
	if err != nil {
		conn.Close()
		return nil, err
	}
	return s, nil
}

// A stream is one client's.
type stream struct {
	conn  net.Conn
	lines *bufio.Reader
}

// event reads to the end of the next event.
func (s *stream) event() error {
	for {
		line, err := s.lines.ReadString('\n')
		if err != nil {
			return err
		}
		if strings.HasPrefix(line, "HTTP/1.1 ") && !strings.HasPrefix(line, "HTTP/1.1 200") {
			return fmt.Errorf("answered %s", strings.TrimSpace(line))
		}
		if strings.HasPrefix(line, "data: ") {
			return nil
		}
	}
}

// metric reads one value of the gateway, after a garbage collection.
func (g *gateway) metric(t *testing.T, name string) float64 {
	t.Helper()
	g.get(t, "/debug/pprof/heap?gc=1")
	found := regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(name) + ` (\S+)$`).FindStringSubmatch(g.get(t, "/metrics"))
	if found == nil {
		return 0
	}
	value, err := strconv.ParseFloat(found[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return value
}

func (g *gateway) get(t *testing.T, path string) string {
	t.Helper()
	answer, err := g.admin.Get("http://localhost" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
