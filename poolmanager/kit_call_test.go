package poolmanager

import (
	"bytes"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/llorch/gateway/authmin/jsonbody"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// callRig is a pool manager whose pool p is a server that a test plays.
type callRig struct {
	*rig
	t      testing.TB
	handle http.HandlerFunc // what the engine does with a call
	bare   http.HandlerFunc // the same, for an engine that reads no body by itself
	seen   *http.Request
	sent   []byte // the request's body as the engine got it
}

// startCalls starts a pool manager and an engine with the models a and engine-model.
func startCalls(t testing.TB, change func(*Template)) *callRig {
	t.Helper()
	c := &callRig{t: t}
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/v1/models" {
			io.WriteString(w, `{"data":[{"id":"engine-model"}]}`)
			return
		}
		if c.bare != nil {
			c.bare(w, r)
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return // the call was ended
		}
		c.seen, c.sent = r, body
		c.handle(w, r)
	}))
	t.Cleanup(engine.Close)
	c.rig = startRig(t, func(o *Options) {
		template := URLTemplate(engine.URL)
		template.Engine = "vllm"
		if change != nil {
			change(&template)
		}
		o.Templates = []Template{template}
	})
	c.answers(404, "application/json", "{}") // until a test says otherwise
	c.ready(t, "p", "url", "")
	return c
}

// answers lets the engine answer each call like that.
func (c *callRig) answers(status int, contentType, body string) {
	c.handle = func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", contentType)
		w.WriteHeader(status)
		io.WriteString(w, body)
	}
}

// placesOf is the places of a body, as the orchestrator finds them.
func placesOf(body string) (p nodeapi.Places) {
	scan := jsonbody.New(jsonbody.Options{Watch: []string{"model", "stream_options", "stream_options.include_usage"}})
	_, _ = scan.Write([]byte(body))
	for path, place := range map[string]*[2]int64{"model": &p.Model, "stream_options": &p.Options, "stream_options.include_usage": &p.Usage} {
		if m, ok := scan.Member(path); ok {
			*place = [2]int64{m.Start, m.End}
		}
	}
	p.Opened = int64(strings.IndexByte(body, '{') + 1)
	return p
}

// request is a call with that body.
func request(operation, body string) nodeapi.CallRequest {
	return nodeapi.CallRequest{
		Operation: operation, ModelRef: "engine-model", AnswerModel: "client-model", Places: placesOf(body),
		Body: strings.NewReader(body), BodyBytes: int64(len(body)),
	}
}

// outcome is what came of a call.
type outcome struct {
	kinds string
	head  nodeapi.CallHead
	data  string
	end   nodeapi.CallEnd
	error nodeapi.CallError
}

// runCall runs one call and collects its frames.
func (c *callRig) runCall(r nodeapi.CallRequest) (o outcome, err error) {
	c.t.Helper()
	stream, err := c.client.Call(c.t.Context(), "p", r)
	if err != nil {
		return o, err
	}
	defer stream.Close()
	var data bytes.Buffer
	for {
		f, err := stream.Next()
		if err == io.EOF {
			o.data = data.String()
			return o, nil
		}
		if err != nil {
			return o, err
		}
		o.kinds += string(rune(f.Kind))
		switch f.Kind {
		case nodeapi.FrameHead:
			err = f.Decode(&o.head)
		case nodeapi.FrameEnd:
			err = f.Decode(&o.end)
		case nodeapi.FrameError:
			err = f.Decode(&o.error)
		default:
			data.Write(f.Payload)
		}
		if err != nil {
			c.t.Fatal(err)
		}
	}
}

// must runs a call that has to begin.
func (c *callRig) must(r nodeapi.CallRequest) outcome {
	c.t.Helper()
	o, err := c.runCall(r)
	if err != nil {
		c.t.Fatal(err)
	}
	return o
}
