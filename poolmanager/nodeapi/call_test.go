package nodeapi_test

import (
	"bytes"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// node answers calls with the given bytes, and shows what it was asked.
func node(t *testing.T, kind string, answer []byte) (*nodeapi.Client, func() (*http.Request, string)) {
	t.Helper()
	var seen *http.Request
	var body []byte
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen = r
		body, _ = io.ReadAll(r.Body)
		w.Header().Set("Content-Type", kind)
		_, _ = w.Write(answer)
	}))
	t.Cleanup(server.Close)
	return nodeapi.New(server.URL, func() string { return "t" }, server.Client()), func() (*http.Request, string) { return seen, string(body) }
}

func frames(t *testing.T, all ...nodeapi.Frame) (out []byte) {
	t.Helper()
	for _, f := range all {
		var err error
		if out, err = nodeapi.AppendFrame(out, f.Kind, f.Payload); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func TestACallSendsTheBodyAsItIsAndReadsFrames(t *testing.T) {
	answer := frames(t,
		nodeapi.Frame{Kind: nodeapi.FrameAlive},
		nodeapi.Frame{Kind: nodeapi.FrameHead, Payload: []byte(`{"status":200,"content_type":"text/event-stream"}`)},
		nodeapi.Frame{Kind: nodeapi.FrameData, Payload: []byte("data: {}\n\n")},
		nodeapi.Frame{Kind: nodeapi.FrameEnd, Payload: []byte(`{"tokens_out":3,"succeeded":true}`)})
	client, seen := node(t, nodeapi.CallContentType, answer)
	sent := `{ "model":"a" }`
	stream, err := client.Call(t.Context(), "p", nodeapi.CallRequest{
		Operation: "chat", Query: "beta=true&x[]=%2f", ModelRef: "m/1", AnswerModel: "a", Stream: true, DeadlineMS: 7, Body: strings.NewReader(sent), BodyBytes: int64(len(sent)),
		Places: nodeapi.Places{Model: [2]int64{10, 13}, Opened: 1},
		Header: http.Header{"Anthropic-Version": {"2023-06-01"}, "Cookie": {"secret"}, "X-Auth-Identity": {"root"}},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer stream.Close()
	var kinds []byte
	for {
		f, err := stream.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		kinds = append(kinds, byte(f.Kind))
		if f.Kind == nodeapi.FrameEnd {
			var end nodeapi.CallEnd
			if err := f.Decode(&end); err != nil || end.TokensOut != 3 || !end.Succeeded {
				t.Errorf("end: got %+v, %v", end, err)
			}
		}
	}
	if string(kinds) != "HDE" {
		t.Errorf("frames: got %s, want HDE", kinds)
	}
	r, body := seen()
	if body != sent || r.ContentLength != int64(len(sent)) {
		t.Errorf("body: got %q of length %d", body, r.ContentLength)
	}
	want := "/pools/p/call/chat?answer_model=a&deadline_ms=7&model_ref=m%2F1&places=10-13%2C0-0%2C0-0%2C1&query=beta%3Dtrue%26x%5B%5D%3D%252f&stream=true"
	if r.RequestURI != want {
		t.Errorf("request: got %s\nwant %s", r.RequestURI, want)
	}
	if r.Header.Get("Anthropic-Version") == "" || r.Header.Get("Cookie") != "" || r.Header.Get("X-Auth-Identity") != "" {
		t.Errorf("headers: got %v", r.Header)
	}
}

func TestACallStreamThatIsNotWholeIsAnError(t *testing.T) {
	data := frames(t, nodeapi.Frame{Kind: nodeapi.FrameData, Payload: []byte("x")})
	for name, c := range map[string]struct {
		kind   string
		answer []byte
		want   error
	}{
		"no end":           {nodeapi.CallContentType, data, io.ErrUnexpectedEOF},
		"cut in a header":  {nodeapi.CallContentType, append(slices.Clone(data), 'E', 0), io.ErrUnexpectedEOF},
		"cut in a payload": {nodeapi.CallContentType, append(slices.Clone(data), 'E', 0, 0, 0, 9, '{'), io.ErrUnexpectedEOF},
		"unknown kind":     {nodeapi.CallContentType, append(slices.Clone(data), 'Q', 0, 0, 0, 0), nodeapi.ErrForeign},
		"too long":         {nodeapi.CallContentType, append(slices.Clone(data), 'D', 0x7f, 0xff, 0xff, 0xff), nodeapi.ErrForeign},
		"HTML":             {nodeapi.CallContentType, []byte("<html><body>502</body></html>"), nodeapi.ErrForeign},
	} {
		t.Run(name, func(t *testing.T) {
			client, _ := node(t, c.kind, c.answer)
			stream, err := client.Call(t.Context(), "p", nodeapi.CallRequest{Operation: "chat"})
			if err != nil {
				t.Fatal(err)
			}
			defer stream.Close()
			for err == nil {
				_, err = stream.Next()
			}
			if !errors.Is(err, c.want) {
				t.Errorf("got %v, want %v", err, c.want)
			}
		})
	}
	client, _ := node(t, "text/html", []byte("<html>"))
	_, err := client.Call(t.Context(), "p", nodeapi.CallRequest{Operation: "chat"})
	if _, ok := errors.AsType[*nodeapi.ForeignError](err); !ok {
		t.Errorf("HTML: got %v, want a ForeignError", err)
	}
}

func TestPlacesAreInTheBodyAndInOrder(t *testing.T) {
	for text, ok := range map[string]bool{
		"10-13,0-0,0-0,1":    true,
		"2-5,8-30,10-14,1":   true,
		"40-45,8-30,10-14,1": true,
		"0-0,0-0,0-0,0":      true,
		"10-13,0-0,0-0":      false,
		"10-13,0-0,0-0,1,2":  false,
		"10-130,0-0,0-0,1":   false, // after the body
		"13-10,0-0,0-0,1":    false,
		"-1-3,0-0,0-0,1":     false,
		"2-5,8-30,31-35,1":   false, // the usage outside its options
		"2-9,8-30,10-14,1":   false, // one in the other
		"2-5,8-30,10-14,3":   false, // the brace after what is in it
		"a-b,0-0,0-0,1":      false,
		"9999999999999999999-9999999999999999999,0-0,0-0,1": false,
	} {
		if _, err := nodeapi.ParsePlaces(text, 100); (err == nil) != ok {
			t.Errorf("%s: got %v, want accepted %v", text, err, ok)
		}
	}
}

func TestProtocolsTravelAsWorkloads(t *testing.T) {
	entries := nodeapi.WithProtocols([]string{"completion", "embedding", "rerank"}, nodeapi.Protocols())
	if len(entries) > 8 {
		t.Errorf("%d entries: landed orchestrators take 8", len(entries))
	}
	for _, e := range entries {
		if len(e) > 32 {
			t.Errorf("%s: landed orchestrators take 32 bytes", e)
		}
	}
	if got := (nodeapi.Pool{Workloads: entries}).Protocols(); !slices.Equal(got, nodeapi.Protocols()) {
		t.Errorf("got %v", got)
	}
	if got := (nodeapi.Pool{Workloads: []string{"completion", "rerank"}}).Protocols(); got != nil {
		t.Errorf("a pool of an older version: got %v, want none", got)
	}
}

func FuzzCallStream(f *testing.F) {
	f.Add([]byte("A\x00\x00\x00\x00D\x00\x00\x00\x01xE\x00\x00\x00\x02{}"))
	f.Fuzz(func(t *testing.T, answer []byte) {
		client := nodeapi.New("http://node.test", func() string { return "" }, &http.Client{Transport: wire(answer)})
		stream, err := client.Call(t.Context(), "p", nodeapi.CallRequest{Operation: "chat"})
		if err != nil {
			t.Fatal(err)
		}
		defer stream.Close()
		for {
			frame, err := stream.Next()
			if err != nil {
				return
			}
			if len(frame.Payload) > nodeapi.MaxFrameBytes {
				t.Fatalf("a payload of %d bytes", len(frame.Payload))
			}
		}
	})
}

// wire is a connection that answers each call with these bytes.
type wire []byte

func (w wire) RoundTrip(r *http.Request) (*http.Response, error) {
	return &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Type": {nodeapi.CallContentType}},
		Body: io.NopCloser(bytes.NewReader(w)), Request: r}, nil
}

// TestNoCredentialTravels: whatever family its name is of.
func TestNoCredentialTravels(t *testing.T) {
	for name, want := range map[string]bool{
		"Anthropic-Beta": true, "OpenAI-Organization": true, "Openai-Keyboard": true, "Traceparent": true, "X-Session-Id": true,
		"Anthropic-Api-Key": false, "openai-api-key": false, "Anthropic-Auth-Token": false, "OPENAI-AUTHORIZATION": false, "Openai-Set-Cookie": false,
		"Authorization": false, "X-Api-Key": false, "Cookie": false, "X-Forwarded-For": false, "X-Auth-Identity": false,
	} {
		if got := nodeapi.TravelsWithCall(name); got != want {
			t.Errorf("%s: got %v, want %v", name, got, want)
		}
	}
}
