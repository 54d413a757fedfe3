package staging

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
)

// webSource is a file on a server that may support range requests.
type webSource struct {
	url  string
	http sourceClient
}

func (w *webSource) open(ctx context.Context, at int64, known validator) (io.ReadCloser, int64, validator, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, w.url, nil)
	if err != nil {
		return nil, 0, validator{}, fmt.Errorf("%w: %w", errSource, err)
	}
	if at > 0 {
		request.Header.Set("Range", fmt.Sprintf("bytes=%d-", at))
		if condition := known.condition(); condition != "" {
			request.Header.Set("If-Range", condition)
		}
	}
	response, err := w.http.Do(request)
	if err != nil {
		return nil, 0, validator{}, err
	}
	from, v, err := checkAnswer(response, at, known)
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

// checkAnswer reads the head of an answer to a request for the bytes from at on.
func checkAnswer(r *http.Response, at int64, known validator) (from int64, v validator, err error) {
	v = validator{ETag: clipHeader(r.Header.Get("ETag")), Modified: clipHeader(r.Header.Get("Last-Modified")), Length: -1}
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" && encoding != "identity" {
		return 0, v, fmt.Errorf("%w: it answered with a content encoding", errSource)
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

// clipHeader bounds a header's value; a longer one is ignored.
func clipHeader(value string) string {
	if len(value) > 256 {
		return ""
	}
	return value
}
