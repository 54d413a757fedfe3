package canary_test

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/llorch/gateway/integration/testkit"
)

// upstream answers every request, keeps its bytes, and aborts the response of
// /v1/abort.
type upstream struct {
	*httptest.Server
	testkit.Buffer
}

func newUpstream(t *testing.T) *upstream {
	u := &upstream{}
	u.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		head, err := httputil.DumpRequest(r, true)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(u, "%s\ntrailers %v\n", head, r.Trailer)
		if strings.HasPrefix(r.URL.Path, "/v1/abort") {
			w.Header().Set("Content-Length", "100")
			_, _ = io.WriteString(w, "cut")
			_ = http.NewResponseController(w).Flush()
			panic(http.ErrAbortHandler)
		}
		_, _ = io.WriteString(w, "fine")
	}))
	t.Cleanup(u.Close)
	return u
}

// collector takes what OTLP exporters post.
type collector struct {
	*httptest.Server
	testkit.Buffer
}

func newCollector(t *testing.T) *collector {
	c := &collector{}
	c.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		fmt.Fprintf(c, "%s\n", body)
	}))
	t.Cleanup(c.Close)
	return c
}

// syslog takes datagrams.
type syslog struct {
	address string
	testkit.Buffer
}

func newSyslog(t *testing.T) *syslog {
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s := &syslog{address: conn.LocalAddr().String()}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		datagram := make([]byte, 64<<10)
		for {
			n, _, err := conn.ReadFrom(datagram)
			if err != nil {
				return
			}
			fmt.Fprintf(s, "%s\n", datagram[:n])
		}
	}()
	t.Cleanup(func() {
		conn.Close()
		<-ended
	})
	return s
}

// filesUnder are the contents of all files below a folder but the named ones.
func filesUnder(t *testing.T, folder string, but ...string) map[string]string {
	t.Helper()
	all := map[string]string{}
	err := filepath.WalkDir(folder, func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		for _, b := range but {
			if filepath.Base(path) == b {
				return nil
			}
		}
		content, err := os.ReadFile(path)
		all["file "+path[len(folder):]] = string(content)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}
