package main

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// shape is one kind of request and answer.
type shape struct {
	name    string
	prompt  int // bytes of the request's body, about
	path    string
	clients int // connections at once
	batch   int // requests in one turn: a tenth of a second or so
	header  http.Header
}

// sdk is what the OpenAI client libraries send with every request.
var sdk = http.Header{
	"Accept": {"application/json"}, "Content-Type": {"application/json"}, "User-Agent": {"OpenAI/Go 1.12.0"},
	"X-Stainless-Lang": {"go"}, "X-Stainless-Package-Version": {"1.12.0"}, "X-Stainless-Os": {"Linux"}, "X-Stainless-Arch": {"x64"},
	"X-Stainless-Runtime": {"go"}, "X-Stainless-Runtime-Version": {"go1.26"}, "X-Stainless-Retry-Count": {"0"}, "X-Stainless-Timeout": {"600"},
}

// shapes are what clients of an LLM server do: streams, one event a token, as many
// at once as an engine has slots, and short answers as JSON, such as an embedding's
// or a classifier's. In a burst an upstream writes as fast as it can, so that many
// events share a packet, and one stream is little more than one answer. The last is
// a request with nothing but a credential, and so the least to compare with.
var shapes = []shape{
	{"stream/64", 1500, "/v1/stream/64", 64, 128, sdk},
	{"stream/1000", 1500, "/v1/stream/1000", 64, 64, sdk},
	{"burst/64", 1500, "/v1/burst/64", 8, 160, sdk},
	{"burst/1000", 1500, "/v1/burst/1000", 8, 24, sdk},
	{"json/2KB", 1500, "/v1/json/2048", 8, 800, sdk},
	{"json/0.5KB", 40, "/v1/json/512", 8, 800, sdk},
	{"json/0.5KB/plain", 40, "/v1/json/512", 8, 800, nil},
}

// pace is the time between the tokens of a stream: shorter than what this many
// streams leave the processors time for, so that they are busy all the time.
const pace = time.Millisecond

// body is that of a request.
func (s shape) body() string {
	return `{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("x", max(0, s.prompt-60)) + `"}]}`
}

// engine answers as the path says.
func engine(w http.ResponseWriter, r *http.Request) {
	_, _ = io.Copy(io.Discard, r.Body)
	kind, number, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v1/"), "/")
	n, err := strconv.Atoi(number)
	switch {
	case err != nil:
		w.WriteHeader(http.StatusNotFound)
	case kind == "json":
		w.Header().Set("Content-Type", "application/json")
		_, _ = io.WriteString(w, `{"x":"`+strings.Repeat("x", n-8)+`"}`)
	default:
		ticker := time.NewTicker(pace)
		defer ticker.Stop()
		w.Header().Set("Content-Type", "text/event-stream")
		for i := range n {
			if kind == "stream" {
				<-ticker.C
			}
			fmt.Fprintf(w, "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" token %d\"}}]}\n\n", i)
			_ = http.NewResponseController(w).Flush()
		}
	}
}
