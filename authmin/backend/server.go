package backend

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

const (
	// headerTimeout and idleTimeout keep slow or silent clients from holding
	// connections; the gateway in front keeps its own open for 90 s or less.
	headerTimeout = 10 * time.Second
	idleTimeout   = 2 * time.Minute
	// maxHeaderBytes is a token of 8 KiB and room for everything else.
	maxHeaderBytes = 64 << 10
	// closeTimeout is how long open requests have at a stop.
	closeTimeout = 500 * time.Millisecond
)

// Server serves HTTP on one listener, within the limits of every service here.
type Server struct {
	http   *http.Server
	failed chan error
	ended  chan struct{} // closed when no connection is accepted any more
}

// Serve answers requests on a listener until [Server.Stop]. Messages of net/http
// are logged as warnings.
func Serve(ln net.Listener, h http.Handler, log *slog.Logger) *Server {
	s := &Server{failed: make(chan error, 1), ended: make(chan struct{}), http: &http.Server{
		Handler: h, ReadHeaderTimeout: headerTimeout, IdleTimeout: idleTimeout, MaxHeaderBytes: maxHeaderBytes,
		ErrorLog:                     slog.NewLogLogger(log.Handler(), slog.LevelWarn),
		DisableGeneralOptionsHandler: true, // net/http would answer `OPTIONS *` before any credential is asked for
	}}
	go func() {
		defer close(s.ended)
		if err := s.http.Serve(ln); !errors.Is(err, http.ErrServerClosed) {
			s.failed <- fmt.Errorf("serving: %w", err)
		}
	}()
	return s
}

// Failed gives an error if the server stops by itself.
func (s *Server) Failed() <-chan error { return s.failed }

// Stop closes the listener, gives open requests half a second, and then closes
// their connections.
func (s *Server) Stop(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, closeTimeout)
	defer cancel()
	err := s.http.Shutdown(ctx)
	if err != nil {
		err = s.http.Close()
	}
	<-s.ended
	return err
}
