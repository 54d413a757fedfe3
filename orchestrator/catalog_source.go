package orchestrator

import (
	"context"
	"crypto/sha256"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"os"
	"syscall"
	"time"

	"github.com/llorch/gateway/poolmanager/modelref"
)

// verifyTimeout bounds the reading of one model: 2 TiB at 100 MB/s.
const verifyTimeout = 6 * time.Hour

// errSource carries the reason why a source cannot be read, in words for the
// record.
type errSource struct{ reason string }

func (e errSource) Error() string { return e.reason }

// modelSources reads models: files below one directory, and https hosts that
// the operator named. By default it reads nothing.
type modelSources struct {
	root  string         // "": no files
	hosts modelref.Hosts // none: no URL
	cas   *x509.CertPool
	names Resolver
}

// client reads one model. What it refuses becomes an errSource in open, whose reason is
// for the record; the stager's becomes an error that names its own setting.
func (m modelSources) client() *modelref.Client {
	return modelref.NewClient(modelref.ClientOptions{Hosts: m.hosts, RootCAs: m.cas, Lookup: func(ctx context.Context, host string) ([]netip.Addr, error) {
		return m.names.LookupNetIP(ctx, "ip", host)
	}})
}

// digest reads the source to its end and gives what it read. Only a reader's
// own eyes count: no header, no name and no size is believed.
func (m modelSources) digest(ctx context.Context, source string) (digest string, size int64, err error) {
	ctx, cancel := context.WithTimeout(ctx, verifyTimeout)
	defer cancel()
	body, err := m.open(ctx, source)
	if err != nil {
		return "", 0, err
	}
	defer body.Close()
	sum := sha256.New()
	size, err = io.Copy(sum, modelref.UntilDone(ctx, io.LimitReader(body, modelref.MaxBytes+1)))
	if size > modelref.MaxBytes {
		return "", size, errSource{fmt.Sprintf("the source is over %d bytes", int64(modelref.MaxBytes))}
	}
	if err != nil {
		return "", size, err
	}
	return "sha256:" + hex.EncodeToString(sum.Sum(nil)), size, nil
}

func (m modelSources) open(ctx context.Context, source string) (io.ReadCloser, error) {
	parsed, err := modelref.ParseSource(source)
	switch {
	case err != nil:
		return nil, errSource{err.Error()}
	case parsed.File != "":
		return m.file(parsed.File)
	case !m.hosts.Allow(parsed.URL):
		return nil, errSource{"the operator's model_hosts does not name the source's host"}
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return nil, fmt.Errorf("asking for a model: %w", err)
	}
	res, err := m.client().Do(r)
	if errors.Is(err, modelref.ErrAddress) {
		return nil, errSource{"the source's host resolves to this machine, its link or its cloud's metadata"}
	}
	if errors.Is(err, modelref.ErrRedirect) {
		return nil, errSource{"the source redirects to where model_hosts does not allow, or too often"}
	}
	if err != nil {
		return nil, err
	}
	if res.StatusCode != http.StatusOK {
		res.Body.Close()
		return nil, errSource{fmt.Sprintf("the source answered %d", res.StatusCode)}
	}
	return res.Body, nil
}

// file opens a file below the root; os.Root lets no link lead out of it.
func (m modelSources) file(name string) (io.ReadCloser, error) {
	if m.root == "" {
		return nil, errSource{"the operator has set no model_root"}
	}
	root, err := os.OpenRoot(m.root)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	f, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not hang us
	if errors.Is(err, os.ErrNotExist) {
		return nil, errSource{"there is no such file"}
	}
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errSource{"the source is not a regular file"}
	}
	return f, nil
}
