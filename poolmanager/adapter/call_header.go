package adapter

import (
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// The media types that a client may be told. Browsers do not run content of these types.
const (
	mediaJSON   = "application/json"
	mediaEvents = "text/event-stream"
	mediaLines  = "application/x-ndjson"
	mediaText   = "text/plain"
	mediaOther  = "application/octet-stream"
)

// media is the type of a content type, without its parameters.
func media(header string) string {
	kind, _, err := mime.ParseMediaType(header)
	if err != nil {
		return ""
	}
	return kind
}

// isJSON reports whether a content type is that of JSON.
func isJSON(header string) bool {
	kind := media(header)
	return kind == mediaJSON || strings.HasPrefix(kind, "application/") && strings.HasSuffix(kind, "+json")
}

// contentType is the content type that a client is told.
func contentType(h http.Header) string {
	told := h.Get("Content-Type")
	kind := media(told)
	switch {
	case !isJSON(told) && kind != mediaEvents && kind != mediaLines && kind != mediaText:
		return mediaOther
	case len(told) > maxKind || authmin.CleanText(told, maxKind) != told:
		return kind[:min(len(kind), maxKind)]
	}
	return told
}

// What of the engine's headers is passed on is bounded: it is stored with the answer.
const (
	maxAnswerHeaders = 32
	maxHeaderValue   = 512
)

// answerHeader is the engine's headers that the client gets, without the engine's key.
// A value that is too long is left out; a Retry-After is bounded.
func (t Target) answerHeader(h http.Header) map[string]string {
	var out map[string]string
	for name, values := range h {
		if len(name) > maxKind || len(out) >= maxAnswerHeaders || !nodeapi.TravelsWithAnswer(name) {
			continue
		}
		value := values[0]
		if len(value) > maxHeaderValue || authmin.CleanText(value, maxHeaderValue) != value {
			continue
		}
		if name == "Retry-After" {
			var ok bool
			if value, ok = nodeapi.BoundRetryAfter(value, time.Now()); !ok {
				continue
			}
		}
		if out == nil {
			out = map[string]string{}
		}
		out[name] = WithoutKey(t.Key, value)
	}
	return out
}

// decoded undoes the encoding of an answer, for engines that encode although they were
// asked not to.
func decoded(response *http.Response) (io.Reader, error) {
	switch encoding := strings.ToLower(strings.TrimSpace(response.Header.Get("Content-Encoding"))); encoding {
	case "", "identity":
		return response.Body, nil
	case "gzip", "x-gzip":
		return gzip.NewReader(response.Body)
	case "deflate":
		return zlib.NewReader(response.Body)
	default:
		return nil, fmt.Errorf("its Content-Encoding is %s", authmin.CleanField(encoding, maxKind))
	}
}
