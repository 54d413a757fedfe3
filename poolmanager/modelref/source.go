package modelref

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"path/filepath"
	"strings"
)

// ErrSource says that a text cannot be the source of a model anywhere.
var ErrSource = errors.New("source_url")

// Source is where the bytes of a catalog entry are: a file below the operator's
// model root, or a URL. Exactly one field is set.
type Source struct {
	File string
	URL  *url.URL
}

// ParseSource reads a source_url: file:NAME with a relative path, https://, or
// http:// on loopback. It has no user, query or fragment, because it is shown and
// logged. Whether it may be read here is for the operator's settings: see Hosts.
func ParseSource(text string) (Source, error) {
	if len(text) > MaxSource {
		return Source{}, fmt.Errorf("%w is longer than %d bytes", ErrSource, MaxSource)
	}
	if kind, name := Split(text); kind == File {
		if !filepath.IsLocal(name) || filepath.Clean(name) != name || name == "." || strings.ContainsAny(name, "\\\x00\n") {
			return Source{}, fmt.Errorf("%w: want file: and a relative path below the model root, without dot segments", ErrSource)
		}
		return Source{File: name}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || u.Opaque != "" || u.Scheme != "https" && u.Scheme != "http" {
		return Source{}, fmt.Errorf("%w: want file:NAME or an https URL", ErrSource)
	}
	if u.Scheme == "http" && !loopbackSpelling(u.Hostname()) {
		return Source{}, fmt.Errorf("%w: plain http is allowed on loopback only; want file:NAME or an https URL", ErrSource)
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return Source{}, fmt.Errorf("%w: want no user, no query and no fragment: it is shown and logged", ErrSource)
	}
	return Source{URL: u}, nil
}

// loopbackSpelling reports whether a host is written as this machine. It resolves
// nothing: the Dialer checks what localhost resolves to.
func loopbackSpelling(host string) bool {
	if a, err := netip.ParseAddr(host); err == nil {
		return a.Zone() == "" && a.Unmap().IsLoopback()
	}
	return strings.EqualFold(host, "localhost")
}
