package poolmanager

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

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
func (s *stager) source(text string) (source, error) {
	if kind, name := modelref.Split(text); kind == modelref.File {
		if !filepath.IsLocal(name) || filepath.Clean(name) != name || strings.ContainsAny(name, "\\\x00\n") {
			return nil, fmt.Errorf("%w: after file: comes a relative path below the model root", errSource)
		}
		return fileSource{s.root, name}, nil
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
func (s *stager) reaches(u *url.URL) bool {
	host := strings.ToLower(strings.TrimSuffix(u.Host, ":443"))
	switch {
	case u.User != nil || u.Opaque != "":
		return false
	case u.Scheme == "https":
		return slices.Contains(s.hosts, host)
	case u.Scheme == "http" && authmin.IsLoopbackHost(u.Hostname()):
		return slices.Contains(s.hosts, "http://"+strings.ToLower(u.Host))
	}
	return false
}

// checkModelHost refuses an entry that could never match, or matches too much.
func checkModelHost(entry string) error {
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

// fileSource is a file below the model root; no link leads out of it.
type fileSource struct{ root, name string }

func (f fileSource) open(_ context.Context, at int64, known validator) (io.ReadCloser, int64, validator, error) {
	root, err := os.OpenRoot(f.root)
	if err != nil {
		return nil, 0, validator{}, fmt.Errorf("%w: %w", errSource, err)
	}
	defer root.Close()
	file, err := root.OpenFile(f.name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not hang us
	if err != nil {
		return nil, 0, validator{}, fmt.Errorf("%w: no such file below the model root", errSource)
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		file.Close()
		return nil, 0, validator{}, fmt.Errorf("%w: not a regular file", errSource)
	}
	v := validator{Modified: info.ModTime().UTC().Format(http.TimeFormat), Length: info.Size()}
	if v != known || at > v.Length {
		at = 0
	}
	if _, err := file.Seek(at, io.SeekStart); err != nil {
		file.Close()
		return nil, 0, validator{}, fmt.Errorf("%w: %w", errSource, err)
	}
	return file, at, v, nil
}

// webSource is a file on a server that may know ranges.
type webSource struct {
	url  string
	http *http.Client
}

func (w *webSource) open(ctx context.Context, at int64, known validator) (io.ReadCloser, int64, validator, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url, nil)
	if err != nil {
		return nil, 0, validator{}, fmt.Errorf("%w: %w", errSource, err)
	}
	request.Header.Set("Accept-Encoding", "identity") // the digest is of the bytes as they are kept
	if at > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", at))
		if condition := known.condition(); condition != "" {
			request.Header.Set("If-Range", condition)
		}
	}
	response, err := w.http.Do(request)
	if err != nil {
		if wrapped, ok := errors.AsType[*url.Error](err); ok {
			err = wrapped.Err // a redirect's URL may hold a signature
		}
		return nil, 0, validator{}, err
	}
	from, v, err := judge(response, at, known)
	if err != nil {
		response.Body.Close()
		return nil, 0, validator{}, err
	}
	return response.Body, from, v, nil
}

// condition is the value of If-Range: a strong ETag (RFC 9110, 13.1.5), or else
// the date.
func (v validator) condition() string {
	if v.ETag != "" && !strings.HasPrefix(v.ETag, "W/") {
		return v.ETag
	}
	return v.Modified
}

// judge reads the head of an answer to a request for the bytes from at on.
func judge(r *http.Response, at int64, known validator) (from int64, v validator, err error) {
	v = validator{ETag: clipHeader(r.Header.Get("ETag")), Modified: clipHeader(r.Header.Get("Last-Modified")), Length: -1}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return 0, v, fmt.Errorf("%w: it encodes the bytes", errSource)
	}
	switch code := r.StatusCode; {
	case code == http.StatusOK:
		v.Length = r.ContentLength
		return 0, v, nil
	case code == http.StatusPartialContent && at > 0:
		start, length, ok := contentRange(r.Header.Get("Content-Range"))
		if !ok || start != at || known.Length >= 0 && length >= 0 && length != known.Length || known.ETag != "" && v.ETag != "" && v.ETag != known.ETag {
			return 0, v, errStartAgain
		}
		v = known // of the whole, not of this answer
		v.Length = max(v.Length, length)
		return at, v, nil
	case code == http.StatusRequestedRangeNotSatisfiable && at > 0:
		return 0, v, errStartAgain
	case code >= 500, code == http.StatusRequestTimeout, code == http.StatusTooEarly, code == http.StatusTooManyRequests:
		return 0, v, fmt.Errorf("the model's source answered %d", code)
	default:
		return 0, v, fmt.Errorf("%w: it answered %d", errSource, code)
	}
}

// contentRange reads "bytes 5-9/10"; the length is -1 for "*".
func contentRange(text string) (start, length int64, ok bool) {
	text, ok = strings.CutPrefix(text, "bytes ")
	span, whole, cut := strings.Cut(text, "/")
	first, last, dash := strings.Cut(span, "-")
	if !ok || !cut || !dash {
		return 0, 0, false
	}
	start, err := strconv.ParseInt(first, 10, 64)
	end, endErr := strconv.ParseInt(last, 10, 64)
	length = -1
	if whole != "*" {
		var wholeErr error
		if length, wholeErr = strconv.ParseInt(whole, 10, 64); wholeErr != nil || length <= end {
			return 0, 0, false
		}
	}
	return start, length, err == nil && endErr == nil && start >= 0 && end >= start
}

// clipHeader bounds what is kept of a header; a longer value is as good as none.
func clipHeader(value string) string {
	if len(value) > 256 {
		return ""
	}
	return value
}
