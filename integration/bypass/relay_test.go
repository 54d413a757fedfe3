package bypass_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// callLimit bounds one request by hand, on a machine that is busy.
const callLimit = 20 * time.Second

// A head is a request's start line and fields, in the order and spelling in
// which they are sent.
type head struct {
	start  string
	fields [][2]string
}

func (h *head) String() string {
	var b strings.Builder
	b.WriteString(h.start + "\r\n")
	for _, f := range h.fields {
		b.WriteString(f[0] + ": " + f[1] + "\r\n")
	}
	return b.String() + "\r\n"
}

func readHead(r *bufio.Reader) (*head, error) {
	h := &head{}
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			return nil, err
		}
		line = strings.TrimRight(line, "\r\n")
		switch {
		case line == "":
			return h, nil
		case h.start == "":
			h.start = line
		default:
			name, value, _ := strings.Cut(line, ":")
			h.fields = append(h.fields, [2]string{name, strings.TrimSpace(value)})
		}
	}
}

// host replaces the value of Host where it stands.
func (h *head) host(value string) *head {
	for i, f := range h.fields {
		if strings.EqualFold(f[0], "Host") {
			h.fields[i][1] = value
		}
	}
	return h
}

// add appends a field.
func (h *head) add(name, value string) *head {
	h.fields = append(h.fields, [2]string{name, value})
	return h
}

// first puts fields before the others.
func (h *head) first(fields ...[2]string) *head {
	h.fields = append(fields, h.fields...)
	return h
}

// remove takes fields out.
func (h *head) remove(name string) *head {
	var kept [][2]string
	for _, f := range h.fields {
		if !strings.EqualFold(f[0], name) {
			kept = append(kept, f)
		}
	}
	h.fields = kept
	return h
}

// A relay listens on loopback and passes each connection on: byte for byte, or
// with the head of its one request rewritten. Where to can change, as the
// answer of a name server does.
type relay struct {
	listener net.Listener
	rewrite  func(*head)
	mu       sync.Mutex
	network  string
	target   string
	open     map[net.Conn]bool
}

func startRelay(t *testing.T, network, target string, rewrite func(*head)) *relay {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	r := &relay{listener: l, rewrite: rewrite, network: network, target: target, open: map[net.Conn]bool{}}
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { r.pass(conn) })
		}
	})
	t.Cleanup(func() {
		l.Close()
		r.point("")
		serving.Wait()
	})
	return r
}

func (r *relay) address() string { return r.listener.Addr().String() }

// point sends the connections to come somewhere else, and ends those that are.
func (r *relay) point(target string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.target = target
	for conn := range r.open {
		conn.Close()
	}
	clear(r.open)
}

// dial connects to the present target.
func (r *relay) dial(client net.Conn) (net.Conn, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.target == "" {
		return nil, errors.New("the relay is closed")
	}
	server, err := net.Dial(r.network, r.target)
	if err == nil {
		r.open[client], r.open[server] = true, true
	}
	return server, err
}

func (r *relay) pass(client net.Conn) {
	defer client.Close()
	server, err := r.dial(client)
	if err != nil {
		return
	}
	defer server.Close()
	from := bufio.NewReader(client)
	if r.rewrite != nil {
		h, err := readHead(from)
		if err != nil {
			return
		}
		r.rewrite(h)
		if _, err := io.WriteString(server, h.String()); err != nil {
			return
		}
	}
	var up sync.WaitGroup
	up.Go(func() {
		_, _ = io.Copy(server, from)
		if half, ok := server.(interface{ CloseWrite() error }); ok {
			_ = half.CloseWrite()
		}
	})
	_, _ = io.Copy(client, server)
	client.Close()
	up.Wait()
}

// send writes a request as it stands, and reads the answer.
func send(network, address, request string) (*http.Response, error) {
	conn, err := net.DialTimeout(network, address, callLimit)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(callLimit))
	if _, err := io.WriteString(conn, request); err != nil {
		return nil, err
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return nil, fmt.Errorf("reading the answer of %s: %w", address, err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols {
		_, err = io.Copy(io.Discard, res.Body)
	}
	return res, err
}
