package attacks_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"net"
	"strconv"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// refusedStatus stands for a stream or connection that was ended by an error of
// the protocol: HTTP/1.1 would have said 400.
const refusedStatus = 400

// maxFrame is the largest frame that every server takes (RFC 9113 §4.2).
const maxFrame = 16 << 10

// A speaker sends a message in one version of HTTP, and returns what came back
// and the address it spoke from.
type speaker func(t testing.TB, address string, m message) (responses []response, peer string, err error)

// clientTLS trusts Caddy's internal authority, which was made for this test.
func clientTLS(protocol string) *tls.Config {
	return &tls.Config{ServerName: "localhost", InsecureSkipVerify: true, NextProtos: []string{protocol}}
}

// speakHTTP2 writes the frames by hand: a client library would clean up or
// refuse most of what is said here.
func speakHTTP2(t testing.TB, address string, m message) ([]response, string, error) {
	dialer := &net.Dialer{Timeout: dialWait}
	conn, err := tls.DialWithDialer(dialer, "tcp", address, clientTLS("h2"))
	if err != nil {
		return nil, "", err
	}
	t.Cleanup(func() { conn.Close() }) // not sooner: the next case needs another port
	peer := "HTTP/2.0 " + conn.LocalAddr().String()
	if got := conn.ConnectionState().NegotiatedProtocol; got != "h2" {
		return nil, peer, fmt.Errorf("negotiated %q, want h2", got)
	}
	_ = conn.SetDeadline(time.Now().Add(totalWait))
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.AllowIllegalWrites = true
	// The server may answer and close before it has read all of a long request.
	written := make(chan struct{})
	go func() {
		defer close(written)
		_ = writeHTTP2(conn, framer, m)
	}()
	responses := readHTTP2(framer)
	_ = conn.SetDeadline(time.Unix(1, 0))
	<-written
	return responses, peer, nil
}

func writeHTTP2(conn net.Conn, framer *http2.Framer, m message) error {
	if _, err := conn.Write([]byte(http2.ClientPreface)); err != nil {
		return err
	}
	if err := framer.WriteSettings(); err != nil {
		return err
	}
	bare := len(m.body) == 0 && len(m.trailers) == 0 && !m.open
	if err := writeSection(framer, m.fields, bare); err != nil || bare {
		return err
	}
	if err := framer.WriteData(1, len(m.trailers) == 0 && !m.open, m.body); err != nil {
		return err
	}
	if len(m.trailers) > 0 {
		return writeSection(framer, m.trailers, true)
	}
	return nil
}

func writeSection(framer *http2.Framer, fields []field, end bool) error {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	for _, f := range fields {
		if err := encoder.WriteField(hpack.HeaderField{Name: f.name, Value: f.value}); err != nil {
			return err
		}
	}
	err := framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, BlockFragment: block.Next(maxFrame), EndStream: end, EndHeaders: block.Len() == 0,
	})
	for err == nil && block.Len() > 0 {
		err = framer.WriteContinuation(1, block.Len() <= maxFrame, block.Next(maxFrame))
	}
	return err
}

// readHTTP2 reads the answer to stream 1.
func readHTTP2(framer *http2.Framer) (all []response) {
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			return all
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			all = addSection(all, f.Fields)
		case *http2.DataFrame:
			if len(all) > 0 {
				last := &all[len(all)-1]
				last.body = append(last.body, f.Data()...)
			}
		case *http2.RSTStreamFrame:
			return ended(all)
		case *http2.GoAwayFrame:
			if f.ErrCode != http2.ErrCodeNo {
				return ended(all)
			}
		}
		if h := frame.Header(); h.StreamID == 1 && h.Flags.Has(http2.FlagDataEndStream) {
			return all
		}
	}
}

// addSection adds a response, or the trailers of the last one, which no test
// reads.
func addSection(all []response, fields []hpack.HeaderField) []response {
	r := response{header: map[string][]string{}}
	for _, f := range fields {
		if f.Name == ":status" {
			r.status, _ = strconv.Atoi(f.Value)
		}
		r.header[f.Name] = append(r.header[f.Name], f.Value)
	}
	if r.status == 0 {
		return all
	}
	return append(all, r)
}

// ended is what a reset leaves: a refusal, unless the answer is there.
func ended(all []response) []response {
	for _, r := range all {
		if r.status >= 200 {
			return all
		}
	}
	return append(all, response{status: refusedStatus, header: map[string][]string{}})
}
