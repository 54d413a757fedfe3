package main

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/llorch/gateway/authmin"
)

const (
	// beat is how often the upstream of a case sends an event on each stream.
	beat = 5 * time.Second
	// maxStreams is what one connection from the gateway to the upstream may carry: two
	// sockets for each of 10,000 streams are more than a process may open on many machines.
	maxStreams = 20_000
	// bigAnswer is more than the buffers of two connections take.
	bigAnswer = 32 << 20
)

// edge is one gateway with an upstream of this program, for the cases.
type edge struct {
	*tally
	keys    *keyring
	address string
	dir     string
	config  string
	gateway *process
	server  *httptest.Server
	serving atomic.Int64 // streams at the upstream
	note    []string     // of a case, for its report
}

// startEdge starts both and waits until the gateway answers.
func startEdge(ctx context.Context, s settings) (*edge, error) {
	dir, err := os.MkdirTemp(s.dir, "edge-")
	if err != nil {
		return nil, err
	}
	e := &edge{tally: newTally(), dir: dir, keys: newKeyring(filepath.Join(dir, "tokens"), map[string]string{"stays": "infer", "gone": "infer"})}
	if e.address, err = freeAddress("127.0.0.1"); err != nil {
		return nil, err
	}
	if err := e.keys.save(); err != nil {
		return nil, err
	}
	e.server = httptest.NewUnstartedServer(http.HandlerFunc(e.upstream))
	e.server.Config.Protocols = new(http.Protocols)
	e.server.Config.Protocols.SetUnencryptedHTTP2(true)
	e.server.Config.HTTP2 = &http.HTTP2Config{MaxConcurrentStreams: maxStreams}
	e.server.Start()
	_, port, _ := net.SplitHostPort(e.address)
	e.config = fmt.Sprintf(`{
	admin unix/%s|0600
	persist_config off
	grace_period 5s
	log {
		output file %s
		format authmin
	}
	authmin {
		token_file %s
		audit file %s
	}
}
http://:%s {
	bind 127.0.0.1
	authmin {
		public GET /health
		require infer /v1/*
	}
	reverse_proxy h2c://%s {
		stream_close_delay 1h
	}
}
`, e.socket(), filepath.Join(dir, "log"), e.keys.path, filepath.Join(dir, "audit.ndjson"), port, e.server.Listener.Addr())
	file := filepath.Join(dir, "Caddyfile")
	if err := os.WriteFile(file, []byte(e.config), 0o600); err != nil {
		return nil, err
	}
	e.gateway = &process{name: "gateway", dir: dir, command: []string{filepath.Join(s.programs, "llorch"), "run", "--adapter", "caddyfile", "--config", file}}
	if err := e.gateway.start(); err != nil {
		return nil, err
	}
	return e, e.awaitReady(ctx)
}

func (e *edge) awaitReady(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	for {
		answer, err := http.Get("http://" + e.address + "/health")
		if err == nil {
			answer.Body.Close()
			return nil
		}
		if !pause(ctx, callPause) {
			e.stop()
			return fmt.Errorf("starting the gateway: %w", err)
		}
	}
}

func (e *edge) socket() string { return filepath.Join(e.dir, "admin.sock") }

func (e *edge) stop() {
	_ = e.gateway.end(syscall.SIGKILL) // what it has left does not matter
	e.server.CloseClientConnections()
	e.server.Close()
}

// upstream answers as a service of streams, small answers and big ones.
func (e *edge) upstream(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/v1/events":
		e.serving.Add(1)
		defer e.serving.Add(-1)
		w.Header().Set("Content-Type", "text/event-stream")
		tick := time.NewTicker(beat)
		defer tick.Stop()
		for r.Context().Err() == nil {
			if _, err := io.WriteString(w, "data: x\n\n"); err != nil || http.NewResponseController(w).Flush() != nil {
				return
			}
			select {
			case <-r.Context().Done():
			case <-tick.C:
			}
		}
	case "/v1/big":
		piece := make([]byte, 64<<10)
		for range bigAnswer / len(piece) {
			if _, err := w.Write(piece); err != nil {
				return
			}
		}
	default:
		_, _ = io.Copy(io.Discard, r.Body) // a body that breaks off has no answer anyway
		_, _ = io.WriteString(w, `{"ok":true}`)
	}
}

// resources is what the gateway takes now, in words.
func (e *edge) resources(ctx context.Context) string {
	v := sampleOf(e.gateway.pid(), 1, time.Now())
	n := goroutines(ctx, socketClient(e.socket()), "http://localhost/metrics", authmin.Secret{})
	return fmt.Sprintf("%d MiB resident, %d goroutines, %d descriptors, %.1f s of processor time", v.ResidentKiB/1024, n, v.Descriptors, v.CPU.Seconds())
}
