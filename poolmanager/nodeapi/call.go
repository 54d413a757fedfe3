package nodeapi

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// CallRequest is a native call: an engine's own request, of which only what is said
// here was read. It travels as POST /pools/{id}/call/{operation}, its members but
// Header and Body as the query.
type CallRequest struct {
	TaskID    string
	Operation string
	// Object is the {id} in the operation's path; "" without one.
	Object string
	// Query is that of the engine's route, as the client sent it, see ParseQuery.
	Query string
	// ModelRef is what the pool calls the model, AnswerModel what the client calls it:
	// the one goes into the request, the other into the answer.
	ModelRef    string
	AnswerModel string
	// Stream says that the client wants events, ShowUsage that it wants the usage of a
	// streamed chat or completion among them.
	Stream    bool
	ShowUsage bool
	Places    Places
	// DeadlineMS and StreamLimitMS are as in DispatchRequest.
	DeadlineMS    int64
	StreamLimitMS int64
	Header        http.Header // what travels with it, see TravelsWithCall
	Body          io.Reader
	BodyBytes     int64
}

// Places says where in the body what may be replaced is: offsets of its bytes, [start,
// end). A place with end 0 is not in the body.
type Places struct {
	Model   [2]int64 // the value of model
	Options [2]int64 // the value of stream_options
	Usage   [2]int64 // the value of stream_options.include_usage
	Opened  int64    // after the brace that opens the body
}

// text is the form in the query.
func (p Places) text() string {
	return fmt.Sprintf("%d-%d,%d-%d,%d-%d,%d", p.Model[0], p.Model[1], p.Options[0], p.Options[1], p.Usage[0], p.Usage[1], p.Opened)
}

// ParsePlaces reads the form in the query. Each place is inside the body, and they are
// in an order in which they can be replaced.
func ParsePlaces(text string, bodyBytes int64) (p Places, err error) {
	bad := func() (Places, error) { return Places{}, fmt.Errorf("reading the places of a call: %q", text) }
	parts := strings.Split(text, ",")
	if len(parts) != 4 {
		return bad()
	}
	for i, place := range []*[2]int64{&p.Model, &p.Options, &p.Usage} {
		from, to, ok := strings.Cut(parts[i], "-")
		start, err1 := strconv.ParseInt(from, 10, 64)
		end, err2 := strconv.ParseInt(to, 10, 64)
		if !ok || err1 != nil || err2 != nil || start < 0 || end < start || end > bodyBytes {
			return bad()
		}
		*place = [2]int64{start, end}
	}
	if p.Opened, err = strconv.ParseInt(parts[3], 10, 64); err != nil || p.Opened < 0 || p.Opened > bodyBytes {
		return bad()
	}
	inside := p.Usage[1] == 0 || p.Options[0] < p.Usage[0] && p.Usage[1] < p.Options[1]
	apart := p.Model[1] == 0 || p.Options[1] == 0 || p.Model[1] <= p.Options[0] || p.Options[1] <= p.Model[0]
	before := (p.Model[1] == 0 || p.Opened < p.Model[0]) && (p.Options[1] == 0 || p.Opened < p.Options[0])
	if !inside || !apart || !before {
		return bad()
	}
	return p, nil
}

// TravelsWithCall reports whether a client's header goes to the engine with its call:
// those that engines or their clients give a meaning. Credentials, cookies, and headers
// of forwarding and identity never do.
func TravelsWithCall(name string) bool {
	name = strings.ToLower(name)
	switch name {
	case "accept-language", "x-session-id", "traceparent", "tracestate":
		return true
	}
	return (strings.HasPrefix(name, "anthropic-") || strings.HasPrefix(name, "openai-")) && !NamesCredential(name)
}

// NamesCredential reports whether a header, or a parameter of a query, is called a
// credential, as Anthropic-Api-Key or access_token is: some proxies of engines read one.
func NamesCredential(name string) bool {
	for word := range strings.FieldsFuncSeq(strings.ToLower(name), func(c rune) bool { return (c < 'a' || c > 'z') && (c < '0' || c > '9') }) {
		switch word {
		case "key", "apikey", "token", "secret", "auth", "authorization", "credential", "credentials", "cookie", "password":
			return true
		}
	}
	return false
}

// TravelsWithAnswer reports whether an engine's header goes to the client.
func TravelsWithAnswer(name string) bool {
	name = strings.ToLower(name)
	return name == "retry-after" || strings.HasPrefix(name, "anthropic-") || strings.HasPrefix(name, "openai-")
}

func (r CallRequest) query() string {
	q := url.Values{"places": {r.Places.text()}}
	for name, value := range map[string]string{"task_id": r.TaskID, "object": r.Object, "query": r.Query, "model_ref": r.ModelRef, "answer_model": r.AnswerModel} {
		if value != "" {
			q.Set(name, value)
		}
	}
	for name, value := range map[string]bool{"stream": r.Stream, "show_usage": r.ShowUsage} {
		if value {
			q.Set(name, "true")
		}
	}
	for name, value := range map[string]int64{"deadline_ms": r.DeadlineMS, "stream_limit_ms": r.StreamLimitMS} {
		if value != 0 {
			q.Set(name, strconv.FormatInt(value, 10))
		}
	}
	return q.Encode()
}

// Call runs a native call in a pool. The context lives as long as the stream: ending
// it cancels the call. Close the stream.
func (c *Client) Call(ctx context.Context, poolID string, r CallRequest) (*CallStream, error) {
	path, err := poolPath(poolID, "/call/"+url.PathEscape(r.Operation))
	if err != nil {
		return nil, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+path+"?"+r.query(), r.Body)
	if err != nil {
		return nil, fmt.Errorf("making the request POST %s: %w", path, err)
	}
	request.ContentLength = r.BodyBytes
	if r.BodyBytes == 0 {
		request.Body = http.NoBody
	}
	for name, values := range r.Header {
		if TravelsWithCall(name) {
			request.Header[http.CanonicalHeaderKey(name)] = values
		}
	}
	request.Header.Set("Content-Type", "application/octet-stream")
	response, err := c.roundTripOf(request)
	if err != nil {
		return nil, err
	}
	if kind, _, err := mime.ParseMediaType(response.Header.Get("Content-Type")); err != nil || kind != CallContentType {
		defer response.Body.Close()
		return nil, foreignAnswer(response)
	}
	return newCallStream(ctx, response.Body), nil
}
