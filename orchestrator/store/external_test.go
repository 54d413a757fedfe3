package store_test

import (
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// natsServers runs n NATS servers as an operator would, and gives their URL.
func natsServers(t *testing.T, n int, edit func(*server.Options)) string {
	t.Helper()
	var routes []*url.URL
	for range n {
		routes = append(routes, &url.URL{Scheme: "nats-route", Host: testkit.FreeAddress(t)})
	}
	var urls []string
	for i := range n {
		o := &server.Options{
			ServerName: fmt.Sprint("nats", i), Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true,
			JetStream: true, StoreDir: t.TempDir(), SyncAlways: true, JetStreamMaxStore: 32 << 30, JetStreamMaxMemory: 64 << 20, MaxPayload: 2 << 20,
		}
		if n > 1 {
			host, port, err := net.SplitHostPort(routes[i].Host)
			if err != nil {
				t.Fatal(err)
			}
			o.Routes, o.Cluster.Name, o.Cluster.Host = routes, "theirs", host
			if _, err := fmt.Sscan(port, &o.Cluster.Port); err != nil {
				t.Fatal(err)
			}
		}
		if edit != nil {
			edit(o)
		}
		srv, err := server.NewServer(o)
		if err != nil {
			t.Fatal(err)
		}
		srv.Start()
		t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
		if !srv.ReadyForConnections(10 * time.Second) {
			t.Fatal("a NATS server is not ready")
		}
		urls = append(urls, strings.Replace(srv.ClientURL(), "0.0.0.0", "127.0.0.1", 1))
	}
	return strings.Join(urls, ",")
}

func TestAnExistingClusterKeepsThreeCopies(t *testing.T) {
	t.Parallel()
	x := &store.External{URL: natsServers(t, 3, nil), Replica: "one"}
	ctx, cancel := contextFor(t, 30*time.Second)
	defer cancel()
	one, err := store.Open(ctx, store.Options{NATS: x})
	if err != nil {
		t.Fatal(err)
	}
	defer one.Close()
	other := *x
	other.Replica = "two"
	two, err := store.Open(ctx, store.Options{NATS: &other})
	if err != nil {
		t.Fatal(err)
	}
	defer two.Close()
	if !one.Shared() || two.Replica() != "two" {
		t.Errorf("got %v, %s", one.Shared(), two.Replica())
	}
	told := watched(t, two.Bucket(store.Tasks).Watch)
	hear(t, told, "begin all")
	if _, err := one.Bucket(store.Tasks).Create(ctx, "k", []byte("v")); err != nil {
		t.Fatal(err)
	}
	hear(t, told, "k=v(1)")
}

func TestALoneServerElsewhereIsRefusedUnlessFast(t *testing.T) {
	x := &store.External{URL: natsServers(t, 1, nil), Replica: "one"}
	ctx, cancel := contextFor(t, 30*time.Second)
	defer cancel()
	if st, err := store.Open(ctx, store.Options{NATS: x}); err == nil || !strings.Contains(err.Error(), "durability: fast") {
		t.Fatalf("got %v, %v, want a refusal", st, err)
	}
	st, err := store.Open(ctx, store.Options{NATS: x, Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if _, err := st.Bucket(store.Tasks).Create(ctx, "k", []byte("v")); err != nil {
		t.Error(err)
	}
	small := &store.External{URL: natsServers(t, 1, func(o *server.Options) { o.MaxPayload = 1 << 20 }), Replica: "one"}
	if _, err := store.Open(ctx, store.Options{NATS: small, Fast: true}); err == nil || !strings.Contains(err.Error(), "max_payload") {
		t.Errorf("a small max_payload: got %v", err)
	}
}

func TestAnExistingClusterOverTLS(t *testing.T) {
	a := testkit.NewAuthority(t)
	cert, key := a.Issue("nats", []string{"127.0.0.1"})
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	text := natsServers(t, 1, func(o *server.Options) {
		o.TLSConfig = &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS13}
	})
	x := &store.External{URL: strings.Replace(text, "nats://", "tls://", 1), CAFile: a.File, Replica: "one"}
	ctx, cancel := contextFor(t, 30*time.Second)
	defer cancel()
	st, err := store.Open(ctx, store.Options{NATS: x, Fast: true})
	if err != nil {
		t.Fatal(err)
	}
	st.Close()
	x.CAFile = testkit.NewAuthority(t).File
	if _, err := store.Open(ctx, store.Options{NATS: x, Fast: true}); err == nil || ctx.Err() != nil {
		t.Errorf("a server of another authority: got %v", err)
	}
}

func TestUnsafeURLsAreRefused(t *testing.T) {
	creds := filepath.Join(t.TempDir(), "user.creds")
	if err := os.WriteFile(creds, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		x    store.External
		want string
	}{
		"in clear":             {store.External{URL: "nats://nats.example.com:4222"}, "use tls://nats.example.com:4222"},
		"one of them in clear": {store.External{URL: "tls://a.example.com:4222,nats://b.example.com:4222"}, "unencrypted"},
		"a password":           {store.External{URL: "tls://user:very-secret@a.example.com:4222"}, "credentials file"},
		"no port":              {store.External{URL: "tls://a.example.com"}, "want tls://host:port"},
		"websocket":            {store.External{URL: "wss://a.example.com:443"}, "want tls://host:port"},
		"open credentials":     {store.External{URL: "tls://a.example.com:4222", CredsFile: creds}, "chmod 600"},
		"no credentials":       {store.External{URL: "tls://a.example.com:4222", CredsFile: creds + ".absent"}, "no such file"},
		"a missing authority":  {store.External{URL: "tls://a.example.com:4222", CAFile: creds + ".absent"}, "no such file"},
	} {
		c.x.Replica = "one"
		_, err := store.Open(t.Context(), store.Options{NATS: &c.x})
		if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "very-secret") {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
	if _, err := store.Open(t.Context(), store.Options{NATS: &store.External{URL: "tls://a:1"}}); err == nil || errors.Is(err, store.ErrUnavailable) {
		t.Errorf("no name: got %v", err)
	}
}

// TestServersThatAreOnlyNamedGetNothing: what a server on loopback says of others
// is not a reason to speak to them, in clear.
func TestServersThatAreOnlyNamedGetNothing(t *testing.T) {
	first, _, _ := strings.Cut(natsServers(t, 3, nil), ",")
	ctx, cancel := contextFor(t, 30*time.Second)
	defer cancel()
	st, err := store.Open(ctx, store.Options{NATS: &store.External{URL: first, Replica: "one"}})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	if got := st.Servers(); len(got) != 1 || got[0] != first {
		t.Errorf("would speak to %v, want %s only", got, first)
	}
}

// TestCredentialsMayBeRefusedForAWhile has a server refuse them longer than the
// client library puts up with by itself.
func TestCredentialsMayBeRefusedForAWhile(t *testing.T) {
	o := loneOptions(t)
	srv := loneServer(t, o)
	ctx, cancel := contextFor(t, 30*time.Second)
	defer cancel()
	refusals := make(refusals, 3)
	st, err := store.Open(ctx, store.Options{
		NATS: &store.External{URL: srv.ClientURL(), Replica: "one"}, Fast: true, Log: slog.New(slog.NewTextHandler(refusals, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	demand := func(token string) {
		t.Helper()
		next := o.Clone()
		next.Authorization = token
		if err := srv.ReloadOptions(next); err != nil {
			t.Fatal(err)
		}
	}
	demand("another")
	for range cap(refusals) {
		select {
		case <-refusals:
		case <-ctx.Done():
			t.Fatal("it does not ask again")
		}
	}
	demand("")
	for err := errors.New("not yet"); err != nil && !errors.Is(err, store.ErrExists); {
		if _, err = st.Bucket(store.Tasks).Create(ctx, "k", []byte("v")); ctx.Err() != nil {
			t.Fatalf("it is not let in again: %v", err)
		}
	}
}

// refusals is told of each line of a log about an authorization.
type refusals chan struct{}

func (r refusals) Write(line []byte) (int, error) {
	if strings.Contains(strings.ToLower(string(line)), "authorization") {
		select {
		case r <- struct{}{}:
		default:
		}
	}
	return len(line), nil
}

func loneOptions(t *testing.T) *server.Options {
	return &server.Options{
		Host: "127.0.0.1", Port: -1, NoSigs: true, NoLog: true, JetStream: true, StoreDir: t.TempDir(),
		JetStreamMaxStore: 32 << 30, JetStreamMaxMemory: 64 << 20, MaxPayload: 2 << 20,
	}
}

func loneServer(t *testing.T, o *server.Options) *server.Server {
	t.Helper()
	srv, err := server.NewServer(o.Clone())
	if err != nil {
		t.Fatal(err)
	}
	srv.Start()
	t.Cleanup(func() { srv.Shutdown(); srv.WaitForShutdown() })
	if !srv.ReadyForConnections(10 * time.Second) {
		t.Fatal("the NATS server is not ready")
	}
	return srv
}
