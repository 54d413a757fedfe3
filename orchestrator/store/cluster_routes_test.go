package store_test

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
)

// TestStrangersCannotJoin connects to the route port of a running cluster with the
// credentials that a host on the network can have. The server closes each connection
// before its first line, and the cluster is unchanged afterwards.
func TestStrangersCannotJoin(t *testing.T) {
	t.Parallel()
	r := newReplicas(t, 3)
	r.open(0, 1, 2)
	mine := r.options[0].Cluster
	ours, foreign := reopen(t, mine.CAFile), testkit.NewAuthority(t)
	cases := map[string]struct {
		cert, key string
		version   uint16
	}{
		"no certificate":         {version: tls.VersionTLS13},
		"a foreign certificate":  {version: tls.VersionTLS13},
		"an old version of TLS":  {cert: mine.CertFile, key: mine.KeyFile, version: tls.VersionTLS12},
		"another name":           {version: tls.VersionTLS13},
		"a server's certificate": {version: tls.VersionTLS13},
		"an expired certificate": {version: tls.VersionTLS13},
		"speaking without TLS":   {},
		"our own (the control)":  {cert: mine.CertFile, key: mine.KeyFile, version: tls.VersionTLS13},
	}
	_ = foreign
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			switch name {
			case "a foreign certificate":
				c.cert, c.key = foreign.Issue("replica1", []string{"127.0.0.1"})
			case "another name":
				c.cert, c.key = r.authority.Issue("web", []string{"web.example.com"})
			case "a server's certificate":
				c.cert, c.key = r.authority.Issue("server", []string{"127.0.0.1"}, func(x *x509.Certificate) {
					x.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}
				})
			case "an expired certificate":
				c.cert, c.key = r.authority.Issue("old", []string{"127.0.0.1"}, func(x *x509.Certificate) { x.NotAfter = time.Now().Add(-time.Minute) })
			}
			told := dialRoute(t, mine.Listen, c.version, ours, c.cert, c.key)
			if want := strings.HasPrefix(name, "our own"); strings.Contains(told, "INFO") != want {
				t.Errorf("was told %q", told)
			}
		})
	}
}

// dialRoute connects to a route port and gives what it sends.
func dialRoute(t *testing.T, address string, version uint16, roots *x509.CertPool, cert, key string) string {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(10 * time.Second))
	var in io.Reader = conn
	hello := []byte("CONNECT {\"name\":\"stranger\"}\r\nINFO {\"server_id\":\"stranger\",\"cluster\":\"test\"}\r\nPING\r\n")
	if version != 0 {
		config := &tls.Config{RootCAs: roots, ServerName: "127.0.0.1", MinVersion: tls.VersionTLS12, MaxVersion: version}
		if cert != "" {
			pair, err := tls.LoadX509KeyPair(cert, key)
			if err != nil {
				t.Fatal(err)
			}
			config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &pair, nil }
		}
		c := tls.Client(conn, config)
		if err := c.Handshake(); err != nil {
			return "" // with TLS 1.2 already here
		}
		in = c
		_, _ = c.Write(hello)
	} else {
		_, _ = conn.Write(hello)
	}
	line := make([]byte, 4096)
	n, _ := in.Read(line)
	return string(line[:n])
}

func reopen(t *testing.T, ca string) *x509.CertPool {
	t.Helper()
	text, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(text)
	return pool
}

// TestMessagesBetweenReplicasNeverReachADisk sends a dispatch token to the other replicas,
// makes raft write its snapshots, restarts a replica, and looks for the token in every byte
// that any of the replicas has written.
func TestMessagesBetweenReplicasNeverReachADisk(t *testing.T) {
	t.Parallel()
	r := newReplicas(t, 3)
	r.open(0, 1, 2)
	const secret, public = "canary-dispatch-token-0123456789abcdef", "canary-record-on-disk-0123456789abcdef"
	ctx := t.Context()
	got := make(chan string, 1000)
	listen := func() {
		t.Helper()
		if _, err := r.stores[1].Peers().Subscribe("t", func(m store.PeerMessage) { got <- string(m.Body) }); err != nil {
			t.Fatal(err)
		}
	}
	listen()
	said := func() bool {
		for _, i := range []int{0, 2} {
			if err := r.stores[i].Peers().Publish("t", []byte(secret)); err != nil {
				t.Fatal(err)
			}
		}
		select {
		case text := <-got:
			return text == secret
		default:
			return false
		}
	}
	for range 200 {
		said()
	}
	testkit.Eventually(t, "a message arrives", said)
	if err := r.stores[0].Bucket(store.Tasks).Put(ctx, "task1", []byte(public)); err != nil {
		t.Fatal(err)
	}
	for _, st := range r.stores {
		if err := st.Snapshot(); err != nil {
			t.Fatal(err)
		}
	}
	r.stop(1)
	r.open(1)
	listen()
	testkit.Eventually(t, "a message arrives after the restart", said)
	look := func() (secrets, publics int) {
		for _, o := range r.options {
			secrets, publics = secrets+count(t, o.Dir, secret), publics+count(t, o.Dir, public)
		}
		return secrets, publics
	}
	if secrets, publics := look(); secrets != 0 || publics == 0 {
		t.Errorf("running: the token is in %d files, the record in %d", secrets, publics)
	}
	r.close()
	if secrets, publics := look(); secrets != 0 || publics == 0 {
		t.Errorf("stopped: the token is in %d files, the record in %d", secrets, publics)
	}
}

// count tells in how many files below dir the text is.
func count(t *testing.T, dir, text string) (n int) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return ignoreGone(err)
		}
		data, err := os.ReadFile(path)
		if bytes.Contains(data, []byte(text)) {
			n++
		}
		return ignoreGone(err)
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func ignoreGone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// TestSettingsThatLeaveTheHostInClear are refused before anything is opened.
func TestUnsafeClustersAreRefused(t *testing.T) {
	a := testkit.NewAuthority(t)
	cert, key := a.Issue("replica1", []string{"10.0.0.1"})
	both, bothKey := a.Issue("both", []string{"10.0.0.1", "10.0.0.2"})
	other, otherKey := a.Issue("other", []string{"10.9.9.9"})
	_, wrongKey := a.Issue("wrong", []string{"10.0.0.1"})
	_, openKey := a.Issue("open", []string{"10.0.0.1"})
	if err := os.Chmod(openKey, 0o644); err != nil {
		t.Fatal(err)
	}
	foreign := testkit.NewAuthority(t)
	good := store.Cluster{Name: "llorch", Replica: "a", Listen: "10.0.0.1:6222", Peers: []string{"10.0.0.1:6222", "10.0.0.2:6222", "10.0.0.3:6222"},
		CertFile: cert, KeyFile: key, CAFile: a.File}
	if err := good.Check(); err != nil {
		t.Fatalf("the control: %v", err)
	}
	cases := map[string]struct {
		edit func(*store.Cluster)
		want string
	}{
		"routes without TLS":        {func(c *store.Cluster) { c.CertFile, c.KeyFile, c.CAFile = "", "", "" }, "without TLS"},
		"a peer elsewhere, no TLS":  {func(c *store.Cluster) { c.CertFile, c.KeyFile, c.CAFile = "", "", ""; c.Listen = "127.0.0.1:6222" }, "without TLS"},
		"no authority":              {func(c *store.Cluster) { c.CAFile = "" }, "all three"},
		"a missing certificate":     {func(c *store.Cluster) { c.CertFile = cert + ".absent" }, "no such file"},
		"a key of another":          {func(c *store.Cluster) { c.KeyFile = wrongKey }, "private key does not match"},
		"a world-readable key":      {func(c *store.Cluster) { c.KeyFile = openKey }, "chmod 600"},
		"a certificate of another":  {func(c *store.Cluster) { c.CertFile, c.KeyFile = other, otherKey }, "none of the peers' names"},
		"a foreign authority":       {func(c *store.Cluster) { c.CAFile = foreign.File }, "not valid"},
		"two replicas":              {func(c *store.Cluster) { c.Peers = c.Peers[:2] }, "3 or 5"},
		"one replica twice":         {func(c *store.Cluster) { c.Peers = append(c.Peers[:2:2], c.Peers[0]) }, "twice"},
		"a peer without a port":     {func(c *store.Cluster) { c.Peers = append(c.Peers[:2:2], "10.0.0.3") }, "host:port"},
		"a peer that is everywhere": {func(c *store.Cluster) { c.Peers = append(c.Peers[:2:2], "0.0.0.0:6222") }, "address to connect"},
		"an advertised non-peer":    {func(c *store.Cluster) { c.Advertise = "10.0.0.9:6222" }, "none of the peers"},
		"an ambiguous own address":  {func(c *store.Cluster) { c.Listen = "0.0.0.0:6222"; c.CertFile, c.KeyFile = both, bothKey }, "ORCHD_CLUSTER_ADVERTISE"},
		"no address":                {func(c *store.Cluster) { c.Listen = "" }, "host:port"},
		"a name with a dot":         {func(c *store.Cluster) { c.Name = "a.b" }, "cluster name"},
		"no name of its own":        {func(c *store.Cluster) { c.Replica = "" }, "replica name"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			cluster := good
			c.edit(&cluster)
			dir := filepath.Join(t.TempDir(), "state")
			_, err := store.Open(t.Context(), store.Options{Dir: dir, Cluster: &cluster})
			if err == nil || !strings.Contains(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("got %v, want one line with %q", err, c.want)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("the directory was made all the same")
			}
		})
	}
}

// TestAStartSaysWhatItWaitsFor and ends when it is told to.
func TestAStartSaysWhatItWaitsFor(t *testing.T) {
	t.Parallel()
	r := newReplicas(t, 3)
	var log bytes.Buffer
	o := r.options[0]
	o.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
	ctx, cancel := contextFor(t, 7*time.Second)
	defer cancel()
	begin := time.Now()
	_, err := store.Open(ctx, o)
	if !errors.Is(err, ctx.Err()) || time.Since(begin) > 10*time.Second {
		t.Errorf("got %v after %s, want the context's error after 7 s", err, time.Since(begin))
	}
	if n := strings.Count(log.String(), "waiting for the other replicas"); n != 1 {
		t.Errorf("said %d times what it waits for:\n%s", n, log.String())
	}
}
