package staging

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/modelref"
)

// maxSourceRedirects is for hubs that send to the host with the bytes, which
// must be on the list too.
const maxSourceRedirects = 3

// errSource says that a source will not give the model, now or later.
var errSource = errors.New("the model's source")

// errStartAgain says that what is here is not the beginning of what the source
// has now.
var errStartAgain = errors.New("the source has changed")

// source is where a model's bytes are. open begins at a byte: it answers with
// that place, or 0 when the source starts again, and with what tells this version
// from another.
type source interface {
	open(ctx context.Context, at int64, known validator) (body io.ReadCloser, from int64, v validator, err error)
}

// source finds the way to read a source_url; what the operator did not allow is
// refused.
func (s *Stager) source(text string) (source, error) {
	if kind, name := modelref.Split(text); kind == modelref.File {
		if !filepath.IsLocal(name) || filepath.Clean(name) != name || strings.ContainsAny(name, "\\\x00\n") {
			return nil, fmt.Errorf("%w: after file: comes a relative path below the model root", errSource)
		}
		return fileSource{s.Root, name}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.User != nil || u.Host == "" || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%w: want file:NAME, or https://HOST/PATH with no user, query or fragment", errSource)
	}
	if !s.reaches(u) {
		return nil, fmt.Errorf("%w: its host %q is not among the allowed ones (POOL_MANAGERD_MODEL_HOSTS)", errSource, u.Host)
	}
	return &webSource{url: text, http: s.sourceClient()}, nil
}

// reaches reports whether the operator named this server. Plain http is for
// loopback, and only if it is written so in the list.
func (s *Stager) reaches(u *url.URL) bool {
	host := strings.ToLower(strings.TrimSuffix(u.Host, ":443"))
	switch {
	case u.User != nil || u.Opaque != "":
		return false
	case u.Scheme == "https":
		return slices.Contains(s.Hosts, host)
	case u.Scheme == "http" && authmin.IsLoopbackHost(u.Hostname()):
		return slices.Contains(s.Hosts, "http://"+strings.ToLower(u.Host))
	}
	return false
}

// CheckHost refuses an entry that could never match, or matches too much.
func CheckHost(entry string) error {
	host, plain := strings.CutPrefix(entry, "http://")
	u, err := url.Parse("https://" + host)
	if err != nil || u.Host != host || u.Hostname() == "" || strings.ToLower(entry) != entry || strings.ContainsAny(host, "*?#@/\\ ") {
		return fmt.Errorf("%q: want a host or host:port in lower case, each by its full name", entry)
	}
	if plain && !authmin.IsLoopbackHost(u.Hostname()) {
		return fmt.Errorf("%q: plain http only on loopback", entry)
	}
	return nil
}
