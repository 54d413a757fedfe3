package store

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/llorch/gateway/authmin"
)

// maxPEMBytes bounds a certificate, key or CA file; a bundle of a whole company
// has less.
const maxPEMBytes = 1 << 20

// tls gives the configuration of the routes, for both ends of a connection; nil
// when they stay on this host and no certificate was given.
func (c *Cluster) tls() (*tls.Config, error) {
	if err := c.check(); err != nil {
		return nil, err
	}
	if c.CertFile == "" && c.KeyFile == "" && c.CAFile == "" {
		if !c.loopback() {
			return nil, errPlainRoutes
		}
		return nil, nil
	}
	if c.CertFile == "" || c.KeyFile == "" || c.CAFile == "" {
		return nil, errors.New("cluster TLS needs all three: certificate, key and CA (ORCHD_CLUSTER_CERT, ORCHD_CLUSTER_KEY, ORCHD_CLUSTER_CA)")
	}
	ca, err := readPEM(c.CAFile)
	if err != nil {
		return nil, fmt.Errorf("cluster CA: %w", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(ca) {
		return nil, fmt.Errorf("cluster CA: %s has no certificate in PEM", c.CAFile)
	}
	own := &keyPair{certFile: c.CertFile, keyFile: c.KeyFile}
	pair, err := own.get()
	if err != nil {
		return nil, err
	}
	if err := c.checkCertificate(pair.Leaf, pair.Certificate, pool); err != nil {
		return nil, fmt.Errorf("cluster certificate %s: %w", c.CertFile, err)
	}
	c.own, c.ca = own, ca
	return &tls.Config{
		MinVersion: tls.VersionTLS13, ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, RootCAs: pool,
		GetCertificate:       func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return own.get() },
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return own.get() },
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || !c.namesPeer(s.PeerCertificates[0]) {
				return errors.New("certificate is not for one of the cluster's peers")
			}
			return nil
		},
		SessionTicketsDisabled: true, // each connection shows its certificate
	}, nil
}

// namesPeer reports whether the certificate is for a peer. The connecting side also
// verifies that it is for the peer that it connects to.
func (c *Cluster) namesPeer(cert *x509.Certificate) bool {
	for _, p := range c.Peers {
		if host, _, err := hostPort(p); err == nil && cert.VerifyHostname(host) == nil {
			return true
		}
	}
	return false
}

// checkCertificate checks this replica's certificate as the other replicas will.
func (c *Cluster) checkCertificate(leaf *x509.Certificate, chain [][]byte, roots *x509.CertPool) error {
	between := x509.NewCertPool()
	for _, der := range chain[1:] {
		if cert, err := x509.ParseCertificate(der); err == nil {
			between.AddCert(cert)
		}
	}
	for usage, name := range map[x509.ExtKeyUsage]string{x509.ExtKeyUsageServerAuth: "serverAuth", x509.ExtKeyUsageClientAuth: "clientAuth"} {
		opts := x509.VerifyOptions{Roots: roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{usage}}
		if _, err := leaf.Verify(opts); err != nil {
			return fmt.Errorf("not valid for %s by the cluster's CA: %w", name, err)
		}
	}
	if !c.namesPeer(leaf) {
		return fmt.Errorf("has none of the peers' names (%v) as subject alternative name", c.Peers)
	}
	return nil
}

// ErrNeedsRestart is what a change of files needs that cannot be taken up while
// the servers run.
var ErrNeedsRestart = errors.New("needs a restart")

// Reload reads the certificate and its key again; the error says why the old ones
// stay in use. New connections use the new ones; those that are open stay. The
// authority is read at the start only: a changed one is [ErrNeedsRestart].
func (c *Cluster) Reload() error {
	if c.own == nil {
		return nil
	}
	if err := c.own.reload(); err != nil {
		return err
	}
	if ca, err := readPEM(c.CAFile); err != nil || !bytes.Equal(ca, c.ca) {
		return fmt.Errorf("cluster CA %s has changed: %w", c.CAFile, ErrNeedsRestart)
	}
	return nil
}

// keyPair reads a certificate and its key again when the files change, so that
// renewing them needs no restart.
type keyPair struct {
	certFile, keyFile string

	mu     sync.Mutex
	pair   *tls.Certificate
	read   [2]authmin.FileState
	looked time.Time
}

// keyPairLook is how often the files are looked at, at most.
const keyPairLook = time.Second

func (k *keyPair) get() (*tls.Certificate, error) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.pair != nil && time.Since(k.looked) < keyPairLook {
		return k.pair, nil
	}
	if err := k.look(); k.pair == nil {
		return nil, err
	}
	return k.pair, nil // a half-written renewal: the old pair stays in use
}

// reload reads the files at once.
func (k *keyPair) reload() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.look()
}

// look takes what is in the files, or keeps what was. mu is held.
func (k *keyPair) look() error {
	k.looked = time.Now()
	pair, read, err := k.load()
	if err == nil {
		k.pair, k.read = pair, read
	}
	return err
}

func (k *keyPair) load() (*tls.Certificate, [2]authmin.FileState, error) {
	read := [2]authmin.FileState{authmin.FileStateOf(k.certFile), authmin.FileStateOf(k.keyFile)}
	if k.pair != nil && read == k.read {
		return k.pair, read, nil
	}
	cert, err := readPEM(k.certFile)
	if err != nil {
		return nil, read, fmt.Errorf("cluster certificate: %w", err)
	}
	info, err := os.Stat(k.keyFile)
	if err != nil {
		return nil, read, fmt.Errorf("cluster certificate: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, read, fmt.Errorf("cluster key %s is world-readable: chmod 600 %[1]s", k.keyFile)
	}
	key, err := readPEM(k.keyFile)
	if err != nil {
		return nil, read, fmt.Errorf("cluster key: %w", err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		return nil, read, fmt.Errorf("cluster certificate %s and key %s: %w", k.certFile, k.keyFile, err)
	}
	return &pair, read, nil
}

func readPEM(file string) ([]byte, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NONBLOCK, 0) // does not block on a pipe
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() || info.Size() > maxPEMBytes {
		return nil, fmt.Errorf("%s is not a regular file of at most %d KiB", file, maxPEMBytes>>10)
	}
	return io.ReadAll(io.LimitReader(f, maxPEMBytes))
}
