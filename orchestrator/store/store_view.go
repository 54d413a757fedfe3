package store

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
)

// View opens this store as another replica, over a connection of its own to the same
// server: for tests with several orchestrators in one process. It is Shared and has the
// given name. cut closes its connection, and reopens it, like a partition. Closing a
// view leaves the store open.
func (s *Store) View(ctx context.Context, replica string) (v *Store, cut func(bool), err error) {
	way := &link{srv: s.srv}
	v, err = s.view(ctx, replica, way)
	return v, way.cut, err
}

func (s *Store) view(ctx context.Context, replica string, way nats.InProcessConnProvider) (*Store, error) {
	conn, err := nats.Connect("", nats.InProcessServer(way), nats.MaxReconnects(-1), nats.ReconnectWait(20*time.Millisecond),
		nats.ReconnectJitter(time.Millisecond, time.Millisecond), nats.ReconnectBufSize(-1), nats.ErrorHandler(nil))
	if err != nil {
		return nil, fmt.Errorf("connecting view %s: %w", replica, err)
	}
	v := &Store{dir: s.dir, replica: replica, shared: true, replicas: s.replicas, log: s.log, free: s.free, conn: conn, buckets: make(map[string]*Bucket)}
	js, err := jetstream.New(conn, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return nil, errors.Join(fmt.Errorf("connecting view %s: %w", replica, err), v.Close())
	}
	if err := v.bind(ctx, js); err != nil {
		return nil, errors.Join(fmt.Errorf("connecting view %s: %w", replica, err), v.Close())
	}
	return v, nil
}

// link gives in-process connections until it is cut.
type link struct {
	srv *server.Server

	mu    sync.Mutex
	down  bool
	conns []net.Conn
}

var errCut = errors.New("link is cut")

// InProcessConn is for nats.InProcessServer.
func (l *link) InProcessConn() (net.Conn, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.down {
		return nil, errCut
	}
	conn, err := l.srv.InProcessConn()
	if err == nil {
		l.conns = append(l.conns, conn)
	}
	return conn, err
}

func (l *link) cut(down bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.down = down
	if !down {
		return
	}
	for _, conn := range l.conns {
		_ = conn.Close()
	}
	l.conns = nil
}
