package attacks_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/quic-go/qpack"
	"github.com/quic-go/quic-go"
	"github.com/quic-go/quic-go/quicvarint"
	"golang.org/x/net/http2/hpack"
)

// Frame and stream types of RFC 9114 §6.2.1 and §7.2.
const (
	frameData      = 0x0
	frameHeaders   = 0x1
	frameSettings  = 0x4
	streamControl  = 0x0
	maxAnswerFrame = 1 << 20 // more than any answer here
)

// speakHTTP3 writes the frames by hand over QUIC.
func speakHTTP3(t testing.TB, address string, m message) ([]response, string, error) {
	to, err := net.ResolveUDPAddr("udp", address)
	if err != nil {
		return nil, "", err
	}
	socket, err := net.ListenUDP("udp", &net.UDPAddr{IP: to.IP})
	if err != nil {
		return nil, "", err
	}
	t.Cleanup(func() { socket.Close() }) // not sooner: the next case needs another port
	peer := "HTTP/3.0 " + socket.LocalAddr().String()
	ctx, cancel := context.WithTimeout(context.Background(), dialWait)
	defer cancel()
	transport := &quic.Transport{Conn: socket}
	defer transport.Close()
	conn, err := transport.Dial(ctx, to, clientTLS("h3"), nil)
	if err != nil {
		return nil, peer, err
	}
	defer conn.CloseWithError(0, "")
	responses, err := askHTTP3(conn, m)
	return responses, peer, err
}

// askHTTP3 makes the one request of a connection.
func askHTTP3(conn *quic.Conn, m message) ([]response, error) {
	control, err := conn.OpenUniStream()
	if err != nil {
		return nil, err
	}
	if _, err := control.Write([]byte{streamControl, frameSettings, 0}); err != nil {
		return nil, err
	}
	stream, err := conn.OpenStream()
	if err != nil {
		return nil, err
	}
	_ = stream.SetDeadline(time.Now().Add(totalWait))
	// A write that the server stops is an answer too.
	go writeHTTP3(stream, m)
	return readHTTP3(stream), nil
}

func writeHTTP3(stream *quic.Stream, m message) {
	_, err := stream.Write(sectionFrame(m.fields))
	if err == nil && len(m.body) > 0 {
		_, err = stream.Write(frame(frameData, m.body))
	}
	if err == nil && len(m.trailers) > 0 {
		_, err = stream.Write(sectionFrame(m.trailers))
	}
	if err == nil && !m.open {
		_ = stream.Close()
	}
}

func sectionFrame(fields []field) []byte {
	var block bytes.Buffer
	encoder := qpack.NewEncoder(&block)
	for _, f := range fields {
		_ = encoder.WriteField(qpack.HeaderField{Name: f.name, Value: f.value}) // into memory
	}
	return frame(frameHeaders, block.Bytes())
}

func frame(kind uint64, payload []byte) []byte {
	f := quicvarint.Append(nil, kind)
	f = quicvarint.Append(f, uint64(len(payload)))
	return append(f, payload...)
}

func readHTTP3(stream *quic.Stream) (all []response) {
	reader := quicvarint.NewReader(stream)
	for {
		kind, payload, err := readFrame(reader)
		if err != nil {
			var timeout net.Error
			if errors.Is(err, io.EOF) || errors.As(err, &timeout) && timeout.Timeout() {
				return all
			}
			return ended(all) // reset, or the connection closed with an error
		}
		switch {
		case kind == frameHeaders:
			var fields []hpack.HeaderField
			next := qpack.NewDecoder().Decode(payload)
			for f, err := next(); err == nil; f, err = next() {
				fields = append(fields, hpack.HeaderField{Name: f.Name, Value: f.Value})
			}
			all = addSection(all, fields)
		case kind == frameData && len(all) > 0:
			last := &all[len(all)-1]
			last.body = append(last.body, payload...)
		}
	}
}

func readFrame(r quicvarint.Reader) (kind uint64, payload []byte, err error) {
	if kind, err = quicvarint.Read(r); err != nil {
		return 0, nil, err
	}
	size, err := quicvarint.Read(r)
	if err != nil {
		return 0, nil, err
	}
	if size > maxAnswerFrame {
		return 0, nil, errors.New("a frame larger than any answer here")
	}
	payload = make([]byte, size)
	_, err = io.ReadFull(r, payload)
	return kind, payload, err
}
