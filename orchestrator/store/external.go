package store

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/llorch/gateway/authmin"
)

const (
	// externalReplicas is how many copies are asked of an existing cluster: with
	// three, one may be lost.
	externalReplicas = 3
	// reconnectWait is the pause between attempts to reach a server again.
	reconnectWait = 250 * time.Millisecond
)

// External is an existing NATS cluster with JetStream, instead of embedded
// servers. Give it an account of its own: the buckets are named tasks, nodes and
// so on, and every user of that account can read and write them all.
//
// Open checks TLS, the number of copies, their storage, and the largest message. It
// cannot see how often the servers sync to disk (sync_interval); JetStream's default of two minutes loses
// what was acknowledged since, when most of the servers lose their power at once.
type External struct {
	URL       string // tls://host:port, several separated by commas; nats:// on loopback only
	CredsFile string // a user's credentials (JWT and seed); "": none
	CAFile    string // PEM; "": the system's authorities
	Replica   string // this orchestrator's name: stable and unique
}

// Check validates the settings, files included.
func (x *External) Check() error {
	_, _, err := x.options()
	return err
}

func (x *External) options() (servers []string, options []nats.Option, err error) {
	if !clusterName.MatchString(x.Replica) {
		return nil, nil, fmt.Errorf("replica name %q: want 1 to 64 of A-Z a-z 0-9 _ -, another one on each replica", x.Replica)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12}
	secure := false
	for _, text := range strings.Split(x.URL, ",") {
		u, err := url.Parse(strings.TrimSpace(text))
		switch {
		case err != nil || u.Host == "" || u.Port() == "" || u.Scheme != "tls" && u.Scheme != "nats":
			return nil, nil, errors.New("nats url: want tls://host:port, several separated by commas")
		case u.User != nil:
			return nil, nil, errors.New("nats url: has a user or password in it: use a credentials file (ORCHD_NATS_CREDS)")
		case u.Scheme == "nats" && !authmin.IsLoopbackListen(u.Host):
			return nil, nil, fmt.Errorf("nats url: %s would be unencrypted: use tls://%s", u.Host, u.Host)
		}
		secure = secure || u.Scheme == "tls"
		servers = append(servers, u.Scheme+"://"+u.Host)
	}
	if x.CAFile != "" {
		ca, err := readPEM(x.CAFile)
		if err != nil {
			return nil, nil, fmt.Errorf("nats CA: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(ca) {
			return nil, nil, fmt.Errorf("nats CA: %s has no certificate in PEM", x.CAFile)
		}
	}
	if secure {
		options = append(options, nats.Secure(config))
	} else {
		options = append(options, nats.IgnoreDiscoveredServers()) // a server may announce others, and connections to those would be unencrypted
	}
	if x.CredsFile != "" {
		if err := checkCreds(x.CredsFile); err != nil {
			return nil, nil, fmt.Errorf("nats credentials: %w", err)
		}
		options = append(options, nats.UserCredentials(x.CredsFile))
	}
	return servers, options, nil
}

// credsForbidden are the permissions that a credentials file must not give: others
// nothing, the group no writing, as for the gateway's keyring.
const credsForbidden os.FileMode = 0o027

// checkCreds looks at the file before the client library opens it, which it does
// at each connect: a FIFO would hang it.
func checkCreds(path string) error {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is not a regular file", path)
	case info.Mode().Perm()&credsForbidden != 0:
		return fmt.Errorf("%s is world-readable or group-writable: chmod 600 %[1]s", path)
	case info.Size() == 0:
		return fmt.Errorf("%s is empty", path)
	}
	return nil
}

// join connects to the cluster. Nothing is buffered while it is disconnected: what was
// not sent was not accepted.
func (s *Store) join(ctx context.Context, o Options) error {
	servers, options, err := o.NATS.options()
	if err != nil {
		return err
	}
	options = append(options, nats.Name("orchestratord "+s.replica), nats.MaxReconnects(-1), nats.IgnoreAuthErrorAbort(), nats.ReconnectWait(reconnectWait),
		nats.ReconnectBufSize(-1), nats.RetryOnFailedConnect(false),
		nats.ErrorHandler(func(_ *nats.Conn, _ *nats.Subscription, err error) { s.log.Warn("nats", "error", err) }),
		nats.DisconnectErrHandler(func(_ *nats.Conn, err error) { s.log.Warn("nats disconnected", "error", err) }),
		nats.ReconnectHandler(func(*nats.Conn) { s.log.Info("nats reconnected") }))
	told := time.Now()
	for {
		s.conn, err = nats.Connect(strings.Join(servers, ","), options...)
		if err == nil {
			break
		}
		if !errors.Is(err, nats.ErrNoServers) && !errors.Is(err, nats.ErrTimeout) || ctx.Err() != nil {
			return fmt.Errorf("connecting to nats: %w", err)
		}
		if time.Since(told) > quorumLogPause {
			told = time.Now()
			s.log.Warn("waiting for nats", "error", err)
		}
		select {
		case <-time.After(reconnectWait):
		case <-ctx.Done():
		}
	}
	if have := s.conn.MaxPayload(); have < maxPayload {
		return fmt.Errorf("nats: a message may have %d bytes, needed are %d: set max_payload to 2MB on each server", have, maxPayload)
	}
	if !o.Fast {
		s.log.Warn("sync interval of the nats servers cannot be verified: set sync_interval to always in their jetstream block")
	}
	return s.chooseReplicas(ctx, o.Fast)
}

// errTooFewCopies is a cluster that keeps fewer copies than configured.
var errTooFewCopies = errors.New("nats keeps fewer than 3 copies: use a cluster of three servers or more, " +
	"or say durability: fast (ORCHD_DURABILITY) to accept one copy")

// errNoJetStream is an account without JetStream.
var errNoJetStream = errors.New("nats: this user's account has no JetStream: give it JetStream limits (nsc edit account --js-disk-storage and so on)")

// accountPatience is how long an account may seem to have no JetStream: a server that has
// just started says so until it has read the account's limits.
const accountPatience = 3 * time.Second

// chooseReplicas finds how many copies the cluster can keep: three, or fewer with fast.
func (s *Store) chooseReplicas(ctx context.Context, fast bool) error {
	js, err := jetstream.New(s.conn, jetstream.WithDefaultTimeout(requestTimeout))
	if err != nil {
		return fmt.Errorf("connecting to jetstream: %w", err)
	}
	began := time.Now()
	for s.replicas = externalReplicas; ; s.replicas = 1 {
		err = s.untilQuorum(ctx, "looking at nats", func(ctx context.Context) error {
			err := ensure(ctx, js, layoutProbe(s.replicas))
			switch {
			case tooFewCopies(err):
				return errTooFewCopies
			case hasCode(err, jetstream.JSErrCodeJetStreamNotEnabledForAccount) && time.Since(began) > accountPatience:
				return errNoJetStream // before that it looks like a cluster without a leader yet
			}
			return err
		})
		if !errors.Is(err, errTooFewCopies) || !fast || s.replicas == 1 {
			return err
		}
	}
}

// layoutProbe is the smallest bucket: a replica count that works for it works for all.
func layoutProbe(replicas int) jetstream.StreamConfig {
	for _, b := range layout {
		if b.name == Leases {
			return b.stream(replicas)
		}
	}
	panic("store: no bucket " + Leases)
}

// tooFewCopies reports whether the error is about too few servers or copies.
func tooFewCopies(err error) bool {
	const codeNotClustered, codeNoPeers = jetstream.ErrorCode(10074), codeClusterNoPeers
	return errors.Is(err, errOtherCopies) || hasCode(err, codeNotClustered) || hasCode(err, codeNoPeers)
}
