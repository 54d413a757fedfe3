package staging

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// once serves the first request one way and all others well.
func (r *stagingRig) once(first http.HandlerFunc) http.HandlerFunc {
	done := make(chan struct{}, 1)
	done <- struct{}{}
	return func(w http.ResponseWriter, q *http.Request) {
		select {
		case <-done:
			first(w, q)
		default:
			r.serveWell(w, q)
		}
	}
}

// raw answers with exactly these bytes and hangs up.
func raw(t *testing.T, head string, body []byte) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer connection.Close()
		_, _ = io.WriteString(connection, "HTTP/1.1 "+strings.ReplaceAll(head, "\n", "\r\n")+"\r\n\r\n")
		_, _ = connection.Write(body)
	}
}

// TestADownloadSurvivesOneErrorOfItsSource: the bytes are right in the end, and those of
// one version never mix with another's.
func TestADownloadSurvivesOneErrorOfItsSource(t *testing.T) {
	for name, first := range map[string]func(r *stagingRig) http.HandlerFunc{
		"another version before, told by its ETag": func(r *stagingRig) http.HandlerFunc {
			return func(w http.ResponseWriter, q *http.Request) {
				w.Header().Set("ETag", `"v0"`)
				http.ServeContent(&cutWriter{w, 5000}, q, "", time.Unix(1600000000, 0), bytes.NewReader(make([]byte, len(r.bytes))))
			}
		},
		"another version before, told by its date": func(r *stagingRig) http.HandlerFunc {
			return func(w http.ResponseWriter, q *http.Request) {
				http.ServeContent(&cutWriter{w, 5000}, q, "", time.Unix(1600000000, 0), bytes.NewReader(make([]byte, len(r.bytes))))
			}
		},
		"another version before, told by nothing": func(r *stagingRig) http.HandlerFunc {
			return raw(t, fmt.Sprintf("200 OK\nContent-Length: %d", len(r.bytes)), make([]byte, 5000))
		},
		"another length before": func(r *stagingRig) http.HandlerFunc {
			return raw(t, fmt.Sprintf("200 OK\nETag: \"v1\"\nContent-Length: %d", len(r.bytes)+5), r.bytes[:5000])
		},
		"a length that is too long": func(r *stagingRig) http.HandlerFunc {
			return raw(t, fmt.Sprintf("200 OK\nContent-Length: %d", len(r.bytes)*2), r.bytes)
		},
		"no length, then cut": func(r *stagingRig) http.HandlerFunc {
			return raw(t, "200 OK\nTransfer-Encoding: chunked", []byte("1388\r\n"+string(r.bytes[:5000])+"\r\n"))
		},
		"an internal error": func(*stagingRig) http.HandlerFunc { return raw(t, "503 Later\nContent-Length: 0", nil) },
		"too many requests": func(*stagingRig) http.HandlerFunc { return raw(t, "429 Later\nContent-Length: 0", nil) },
		"nothing":           func(*stagingRig) http.HandlerFunc { return raw(t, "", nil) },
		"nonsense":          func(*stagingRig) http.HandlerFunc { return raw(t, "OK I GUESS", nil) },
	} {
		t.Run(name, func(t *testing.T) {
			r := newStagingRig(t, 100_000, nil)
			r.manners(r.once(first(r)))
			path, err := r.Stage(t.Context(), "catalog:m", nil)
			r.checkStaged(t, path, err)
		})
	}
}

func TestAResumeThatTheSourceRefusesStartsAgain(t *testing.T) {
	whole := func(r *stagingRig) string { return fmt.Sprintf("\nContent-Length: %d", len(r.bytes)-5000) }
	for name, second := range map[string]func(r *stagingRig) http.HandlerFunc{
		"Range is ignored": func(r *stagingRig) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(r.bytes) }
		},
		"another place": func(r *stagingRig) http.HandlerFunc {
			return raw(t, fmt.Sprintf("206 Partial\nContent-Range: bytes 4999-%d/%d", len(r.bytes)-1, len(r.bytes))+whole(r), r.bytes[4999:])
		},
		"no place": func(r *stagingRig) http.HandlerFunc { return raw(t, "206 Partial"+whole(r), r.bytes[5000:]) },
		"a place that is none": func(r *stagingRig) http.HandlerFunc {
			return raw(t, "206 Partial\nContent-Range: bytes -1-x/y"+whole(r), r.bytes[5000:])
		},
		"another length": func(r *stagingRig) http.HandlerFunc {
			return raw(t, fmt.Sprintf("206 Partial\nContent-Range: bytes 5000-%d/%d", len(r.bytes)-2, len(r.bytes)-1)+whole(r), r.bytes[5000:])
		},
		"another version": func(r *stagingRig) http.HandlerFunc {
			return raw(t, fmt.Sprintf("206 Partial\nETag: \"v2\"\nContent-Range: bytes 5000-%d/%d", len(r.bytes)-1, len(r.bytes))+whole(r), make([]byte, len(r.bytes)-5000))
		},
		"out of range": func(r *stagingRig) http.HandlerFunc {
			return raw(t, "416 No\nContent-Length: 0", nil)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newStagingRig(t, 100_000, nil)
			count := 0
			r.manners(func(w http.ResponseWriter, q *http.Request) {
				switch count++; count {
				case 1:
					r.serveWell(&cutWriter{w, 5000}, q)
				case 2:
					if got := q.Header.Get("Range"); got != "bytes=5000-" || q.Header.Get("If-Range") != `"v1"` {
						t.Errorf("resumed with %q, If-Range %q", got, q.Header.Get("If-Range"))
					}
					second(r)(w, q)
				default:
					r.serveWell(w, q)
				}
			})
			path, err := r.Stage(t.Context(), "catalog:m", nil)
			r.checkStaged(t, path, err)
			if strings.Contains(r.log.String(), "not right") {
				t.Error("it was found out by the digest only")
			}
		})
	}
}

// TestInvalidValuesAreRefused: no byte of it is seen under the final name,
// and a source that says no is asked once.
func TestInvalidValuesAreRefused(t *testing.T) {
	for name, c := range map[string]struct {
		serve  func(r *stagingRig) http.HandlerFunc
		want   error
		asked  int // at most
		change func(*Options)
	}{
		"other bytes": {func(r *stagingRig) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, len(r.bytes))) }
		}, errDigest, 1, nil},
		"too few bytes": {func(r *stagingRig) http.HandlerFunc {
			return func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(r.bytes[1:]) }
		}, errDigest, 1, nil},
		"a length that is too short": {func(r *stagingRig) http.HandlerFunc {
			return raw(t, "200 OK\nContent-Length: 5000", r.bytes)
		}, errDigest, 1, nil},
		"a length that is always too long": {func(r *stagingRig) http.HandlerFunc {
			return raw(t, "200 OK\nContent-Length: 100001", r.bytes[:1000])
		}, io.ErrUnexpectedEOF, 100, nil},
		"no bytes":  {func(*stagingRig) http.HandlerFunc { return func(http.ResponseWriter, *http.Request) {} }, errDigest, 1, nil},
		"not found": {func(*stagingRig) http.HandlerFunc { return http.NotFound }, errSource, 1, nil},
		"forbidden": {func(*stagingRig) http.HandlerFunc { return raw(t, "403 No\nContent-Length: 0", nil) }, errSource, 1, nil},
		"a part that was not asked for": {func(r *stagingRig) http.HandlerFunc {
			return raw(t, "206 Partial\nContent-Range: bytes 0-99999/100000\nContent-Length: 100000", r.bytes)
		}, errSource, 1, nil},
		"encoded bytes": {func(r *stagingRig) http.HandlerFunc {
			return raw(t, "200 OK\nContent-Encoding: gzip\nContent-Length: 100000", r.bytes)
		}, errSource, 1, nil},
		"errors for ever": {func(*stagingRig) http.HandlerFunc { return raw(t, "500 Oh\nContent-Length: 0", nil) }, ErrStaging, maxEmptyTries, nil},
		"a length over the bound": {func(r *stagingRig) http.HandlerFunc { return r.serveWell }, errSource, 1,
			func(o *Options) { o.limit = 99_999 }},
		"no end": {func(*stagingRig) http.HandlerFunc {
			return func(w http.ResponseWriter, q *http.Request) {
				for q.Context().Err() == nil {
					_, _ = w.Write(make([]byte, 32<<10))
				}
			}
		}, errSource, 1, func(o *Options) { o.limit = 1 << 20 }},
		"silence": {func(*stagingRig) http.HandlerFunc {
			return func(w http.ResponseWriter, q *http.Request) {
				_ = http.NewResponseController(w).Flush()
				<-q.Context().Done()
			}
		}, errStalled, maxEmptyTries, func(o *Options) { o.times.stall = 20 * time.Millisecond }},
	} {
		t.Run(name, func(t *testing.T) {
			r := newStagingRig(t, 100_000, c.change)
			r.manners(c.serve(r))
			_, err := r.Stage(t.Context(), "catalog:m", nil)
			r.notStaged(t, err, c.want)
			if !errors.Is(err, ErrStaging) {
				t.Errorf("%v does not say that it is about staging", err)
			}
			if len(r.asked) > c.asked {
				t.Errorf("the source was asked %d times, want at most %d", len(r.asked), c.asked)
			}
			if errors.Is(err, errDigest) {
				r.noPartials(t)
			}
			if n := sizeOf(r.partialPath(r.hex)); name == "a length over the bound" && n > 0 {
				t.Errorf("%d bytes were written", n)
			}
		})
	}
}

func TestRedirectsLeadOnlyToListedHostsAndCarryNoHeaders(t *testing.T) {
	r := newStagingRig(t, 10_000, nil)
	var elsewhere int
	other := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		elsewhere++
		if len(q.Header["Referer"])+len(q.Header["Authorization"])+len(q.Header["Cookie"]) > 0 {
			t.Errorf("the redirect's target was sent %v", q.Header)
		}
		r.serveWell(w, q)
	}))
	t.Cleanup(other.Close)
	r.manners(func(w http.ResponseWriter, q *http.Request) {
		http.SetCookie(w, &http.Cookie{Name: "c", Value: "v"})
		http.Redirect(w, q, other.URL+"/x?signature=CANARY", http.StatusFound)
	})
	_, err := r.Stage(t.Context(), "catalog:m", nil)
	r.notStaged(t, err, errSource)
	if elsewhere > 0 || strings.Contains(err.Error()+r.log.String(), "CANARY") {
		t.Errorf("an unnamed server was asked %d times; %v", elsewhere, err)
	}
	r.Hosts = append(r.Hosts, other.URL)
	path, err := r.Stage(t.Context(), "catalog:m", nil)
	r.checkStaged(t, path, err)
	if strings.Contains(r.log.String(), "CANARY") {
		t.Error("a signature is in the log")
	}
	r.enter("loop", map[string]any{"digest": "sha256:" + strings.Repeat("0", 64)})
	r.manners(func(w http.ResponseWriter, q *http.Request) {
		http.Redirect(w, q, r.source.URL+"/again", http.StatusFound)
	})
	if _, err := r.Stage(t.Context(), "catalog:loop", nil); !errors.Is(err, errSource) {
		t.Errorf("a redirect loop: %v", err)
	}
}

// TestASourceWithTheWrongDigestIsNotReadRepeatedly: a pool tries for ever, and its model may
// have hundreds of gigabytes.
func TestASourceWithTheWrongDigestIsNotReadRepeatedly(t *testing.T) {
	r := newStagingRig(t, 1000, func(o *Options) { o.times.badFor = time.Hour })
	r.manners(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 1000)) })
	for range 5 {
		_, err := r.Stage(t.Context(), "catalog:m", nil)
		r.notStaged(t, err, errDigest)
	}
	if n := len(r.asked); n != 1 {
		t.Errorf("the source was asked %d times", n)
	}
	// Another source is asked at once, and the same one when the time is over.
	r.enter("m", map[string]any{"source_url": r.source.URL + "/other"})
	_, err := r.Stage(t.Context(), "catalog:m", nil)
	r.notStaged(t, err, errDigest)
	if n := len(r.asked); n != 2 {
		t.Errorf("another source was not asked: %d", n)
	}
	r.enter("m", nil)
	r.manners(nil)
	r.times.badFor = 0
	path, err := r.Stage(t.Context(), "catalog:m", nil)
	r.checkStaged(t, path, err)
}

// TestAPartialFileBelongsToItsSource: another source begins anew, with its own
// words for versions.
func TestAPartialFileBelongsToItsSource(t *testing.T) {
	r := newStagingRig(t, 100_000, nil)
	r.manners(func(w http.ResponseWriter, q *http.Request) {
		if q.Header.Get("Range") != "" {
			w.WriteHeader(http.StatusNotFound) // for good
			return
		}
		r.serveWell(&cutWriter{w, 5000}, q)
	})
	_, err := r.Stage(t.Context(), "catalog:m", nil)
	r.notStaged(t, err, errSource)
	r.enter("m", map[string]any{"source_url": r.source.URL + "/other"})
	r.manners(nil)
	path, err := r.Stage(t.Context(), "catalog:m", nil)
	r.checkStaged(t, path, err)
	if last := r.asked[len(r.asked)-1]; last != "" || len(r.asked) != 3 {
		t.Errorf("asked for %q", r.asked)
	}
}
