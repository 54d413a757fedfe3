package gatewaytest

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// callLimit bounds one call of a Client; a stream may take as long.
const callLimit = 60 * time.Second

// maxAnswer bounds what is read of one answer.
const maxAnswer = 16 << 20

// A Client calls one base URL with one token.
type Client struct {
	Base  string
	Token string // none: no Authorization header
	From  string // the loopback address that it calls from, such as 127.0.0.7; none: 127.0.0.1
}

// As is the same place with another token.
func (c Client) As(token string) Client {
	c.Token = token
	return c
}

// A Response is an answer, read to its end.
type Response struct {
	Status int
	Header http.Header
	Body   []byte
}

// JSON decodes the body.
func (r Response) JSON(into any) error {
	if err := json.Unmarshal(r.Body, into); err != nil {
		return fmt.Errorf("decoding %.200q: %w", r.Body, err)
	}
	return nil
}

// fresh makes a connection for each call: what one test leaves open is not
// the next one's business.
var fresh = &http.Client{
	Transport:     &http.Transport{DisableKeepAlives: true},
	CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
}

// Do makes one call; headers are lines such as "X-Auth-Identity: x".
func (c Client) Do(method, path, body string, headers ...string) (Response, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callLimit)
	defer cancel()
	res, err := c.open(ctx, method, path, body, headers)
	if err != nil {
		return Response{}, err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer))
	if err != nil {
		return Response{}, fmt.Errorf("reading the answer to %s %s: %w", method, path, err)
	}
	return Response{Status: res.StatusCode, Header: res.Header, Body: text}, nil
}

func (c Client) open(ctx context.Context, method, path, body string, headers []string) (*http.Response, error) {
	r, err := http.NewRequestWithContext(ctx, method, c.Base+path, strings.NewReader(body))
	if err != nil {
		return nil, err
	}
	if c.Token != "" {
		r.Header.Set("Authorization", "Bearer "+c.Token)
	}
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	for _, line := range headers {
		name, value, _ := strings.Cut(line, ": ")
		if name == "Host" {
			r.Host = value
		} else {
			r.Header.Add(name, value)
		}
	}
	return c.transport().Do(r)
}

// transport is fresh, from the client's own address. The kernel of Linux lets a
// process use every address of 127.0.0.0/8, so that one machine can be many clients.
func (c Client) transport() *http.Client {
	if c.From == "" {
		return fresh
	}
	from := &net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(c.From)}}
	return &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true, DialContext: from.DialContext},
		CheckRedirect: fresh.CheckRedirect,
	}
}

// An Event is one of a text/event-stream.
type Event struct{ ID, Type, Data string }

// A Stream is an open text/event-stream.
type Stream struct {
	Header http.Header
	body   io.Closer
	lines  *bufio.Scanner
	cancel func()
}

// Stream opens a text/event-stream; any other answer is an error.
func (c Client) Stream(path string, headers ...string) (*Stream, error) {
	ctx, cancel := context.WithTimeout(context.Background(), callLimit)
	res, err := c.open(ctx, http.MethodGet, path, "", headers)
	if err != nil {
		cancel()
		return nil, err
	}
	if kind := res.Header.Get("Content-Type"); res.StatusCode != http.StatusOK || !strings.HasPrefix(kind, "text/event-stream") {
		cancel()
		res.Body.Close()
		return nil, fmt.Errorf("GET %s: status %d, %s", path, res.StatusCode, kind)
	}
	return &Stream{Header: res.Header, body: res.Body, lines: bufio.NewScanner(res.Body), cancel: cancel}, nil
}

// Next reads one event; io.EOF is the end of the stream.
func (s *Stream) Next() (Event, error) {
	var e Event
	for s.lines.Scan() {
		line := s.lines.Text()
		if line == "" && e != (Event{}) {
			return e, nil
		}
		name, value, _ := strings.Cut(line, ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			e.ID = value
		case "event":
			e.Type = value
		case "data":
			e.Data += value
		}
	}
	return Event{}, errors.Join(s.lines.Err(), io.EOF)
}

// All reads the events to the end of the stream.
func (s *Stream) All() ([]Event, error) {
	defer s.Close()
	var all []Event
	for {
		e, err := s.Next()
		if err != nil {
			if s.lines.Err() != nil {
				return all, s.lines.Err()
			}
			return all, nil
		}
		all = append(all, e)
	}
}

// Close hangs up.
func (s *Stream) Close() {
	s.cancel()
	s.body.Close()
}
