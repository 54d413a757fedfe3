package modelref

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

const (
	connectTimeout = 5 * time.Second  // of each look-up, connect and TLS handshake
	headerTimeout  = 30 * time.Second // a hub that fetches from cold storage answers within it
	// maxRedirects is for hubs that redirect to the host with the bytes, which must be
	// in Hosts too.
	maxRedirects = 3
	// maxHeaderBytes bounds the header of an answer.
	maxHeaderBytes = 64 << 10
)

// ErrRedirect is the error of a Client for a redirect to a server that Hosts does not
// list, and for more than three redirects.
var ErrRedirect = errors.New("redirect not allowed")

// ClientOptions say what a Client may read. The zero value allows no redirect.
type ClientOptions struct {
	Hosts   Hosts          // where redirects may lead
	RootCAs *x509.CertPool // nil: the system's
	// Lookup resolves names; nil: the system's resolver.
	Lookup func(ctx context.Context, host string) ([]netip.Addr, error)
}

// Client reads the source of one model. It connects as [Dialer] does, follows a
// redirect only to a server that is allowed, and sends no credential, cookie or
// Referer. The caller checks the source's own URL against Hosts, and bounds what it
// reads of the body.
type Client struct{ http *http.Client }

// NewClient makes a client for one read: its Dialer keeps the addresses of each host.
func NewClient(o ClientOptions) *Client {
	if o.Lookup == nil {
		o.Lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}
	}
	dialer := &Dialer{Lookup: o.Lookup, Timeout: connectTimeout}
	return &Client{&http.Client{
		CheckRedirect: func(r *http.Request, via []*http.Request) error {
			if len(via) > maxRedirects || !o.Hosts.Allow(r.URL) {
				return ErrRedirect
			}
			r.Header.Del("Referer")
			return nil
		},
		Transport: &http.Transport{
			DialContext: dialer.DialContext, TLSClientConfig: &tls.Config{RootCAs: o.RootCAs, MinVersion: tls.VersionTLS12},
			TLSHandshakeTimeout: connectTimeout, ResponseHeaderTimeout: headerTimeout,
			DisableKeepAlives: true, DisableCompression: true, MaxResponseHeaderBytes: maxHeaderBytes,
		},
	}}
}

// Do sends a request for the bytes as they are stored, without a content encoding. Its
// errors do not show the URL: that of a redirect may hold a signature. They wrap
// [ErrAddress] or [ErrRedirect] when a second attempt would fail in the same way.
func (c *Client) Do(r *http.Request) (*http.Response, error) {
	r.Header.Set("Accept-Encoding", "identity")
	response, err := c.http.Do(r)
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		err = wrapped.Err
	}
	return response, err
}
