package store_test

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/llorch/gateway/integration/testkit"
)

// operator is who decides, in NATS's way, which accounts there are; an account
// decides which users.
type operator struct {
	t        *testing.T
	key      nkeys.KeyPair
	claims   *jwt.OperatorClaims
	accounts *server.MemAccResolver
	system   string
}

// account is one of the operator's.
type account struct {
	t   *testing.T
	key nkeys.KeyPair
}

func newOperator(t *testing.T) *operator {
	t.Helper()
	key, err := nkeys.CreateOperator()
	if err != nil {
		t.Fatal(err)
	}
	o := &operator{t: t, key: key, accounts: &server.MemAccResolver{}}
	o.claims = jwt.NewOperatorClaims(public(t, key))
	o.system = public(t, o.account(false).key)
	return o
}

// serves makes a server trust the operator.
func (o *operator) serves(options *server.Options) {
	options.TrustedOperators, options.AccountResolver, options.SystemAccount = []*jwt.OperatorClaims{o.claims}, o.accounts, o.system
}

// account adds one, which may have JetStream or not.
func (o *operator) account(jetstream bool) *account {
	o.t.Helper()
	key, err := nkeys.CreateAccount()
	if err != nil {
		o.t.Fatal(err)
	}
	claims := jwt.NewAccountClaims(public(o.t, key))
	if jetstream {
		claims.Limits.JetStreamLimits = jwt.JetStreamLimits{DiskStorage: -1, MemoryStorage: -1, Streams: -1, Consumer: -1}
	}
	text, err := claims.Encode(o.key)
	if err != nil {
		o.t.Fatal(err)
	}
	if err := o.accounts.Store(public(o.t, key), text); err != nil {
		o.t.Fatal(err)
	}
	return &account{t: o.t, key: key}
}

// user gives a user's credentials: a JWT that the account has signed, good for
// that long (0: for ever), and the user's seed.
func (a *account) user(good time.Duration) credentials {
	a.t.Helper()
	key, err := nkeys.CreateUser()
	if err != nil {
		a.t.Fatal(err)
	}
	claims := jwt.NewUserClaims(public(a.t, key))
	if good != 0 {
		claims.Expires = time.Now().Add(good).Unix()
	}
	text, err := claims.Encode(a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	seed, err := key.Seed()
	if err != nil {
		a.t.Fatal(err)
	}
	return credentials{jwt: text, seed: string(seed)}
}

func public(t *testing.T, key nkeys.KeyPair) string {
	t.Helper()
	text, err := key.PublicKey()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// credentials are what a .creds file has.
type credentials struct{ jwt, seed string }

// file writes them as NATS's own tools do.
func (c credentials) file(t *testing.T, mode os.FileMode) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "user.creds")
	c.replace(t, path)
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
	return path
}

// replace puts them in the place of others, in one step.
func (c credentials) replace(t *testing.T, path string) {
	t.Helper()
	text := "-----BEGIN NATS USER JWT-----\n" + c.jwt + "\n------END NATS USER JWT------\n\n" +
		"-----BEGIN USER NKEY SEED-----\n" + c.seed + "\n------END USER NKEY SEED------\n"
	if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// in reports whether the text has a part of them that is of use to a thief.
func (c credentials) in(text string) bool {
	signature := c.jwt[strings.LastIndexByte(c.jwt, '.')+1:]
	return strings.Contains(text, c.seed) || strings.Contains(text, c.seed[len(c.seed)-12:]) || strings.Contains(text, signature)
}

// journal is everything that is logged, at every level.
type journal struct{ testkit.Buffer }

func (j *journal) log(too ...io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(io.MultiWriter(append(too, j)...), &slog.HandlerOptions{Level: slog.LevelDebug - 4}))
}
