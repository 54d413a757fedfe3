package store_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/jwt/v2"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nkeys"

	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/orchestrator/store"
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

// TestAnAccountOfItsOwn keeps the state in an account of a cluster in operator
// mode: with the account's credentials only, and apart from other accounts.
func TestAnAccountOfItsOwn(t *testing.T) {
	t.Parallel()
	op := newOperator(t)
	ours, theirs := op.account(true), op.account(true)
	urls := natsServers(t, 3, op.serves)
	ctx, cancel := contextFor(t, time.Minute)
	defer cancel()
	said := &journal{}
	open := func(replica string, c credentials) (*store.Store, error) {
		st, err := store.Open(ctx, store.Options{NATS: &store.External{URL: urls, CredsFile: c.file(t, 0o600), Replica: replica}, Log: said.log()})
		if err == nil {
			t.Cleanup(func() { st.Close() })
		}
		return st, err
	}
	first, second, other := ours.user(0), ours.user(0), theirs.user(0)
	var all []*store.Store
	for replica, c := range map[string]credentials{"one": first, "two": second, "three": other} {
		st, err := open(replica, c)
		if err != nil {
			t.Fatalf("%s: %v", replica, err)
		}
		all = append(all, st)
	}
	for _, st := range all {
		if st.Replica() == "one" {
			if _, err := st.Bucket(store.Tasks).Create(ctx, "k", []byte("v")); err != nil {
				t.Fatal(err)
			}
		}
	}
	for _, st := range all {
		_, err := st.Bucket(store.Tasks).Get(ctx, "k")
		if foreign := st.Replica() == "three"; foreign != errors.Is(err, store.ErrNotFound) || !foreign && err != nil {
			t.Errorf("%s: got %v", st.Replica(), err)
		}
	}
	for _, c := range []credentials{first, second, other} {
		if c.in(said.String()) {
			t.Errorf("a credential is in the log: %s", said)
		}
	}
	if said.String() == "" {
		t.Error("nothing was logged at all") // the control
	}
}

// TestCredentialsThatAreNotGood are refused at once, and nothing of them is told.
func TestCredentialsThatAreNotGood(t *testing.T) {
	t.Parallel()
	op := newOperator(t)
	ours := op.account(true)
	url := natsServers(t, 1, op.serves)
	good, mixed := ours.user(0), ours.user(0)
	mixed.seed = ours.user(0).seed
	cut := good
	cut.jwt = good.jwt[:len(good.jwt)-8]
	write := func(text string) string {
		path := filepath.Join(t.TempDir(), "user.creds")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	all := []credentials{good, mixed, cut}
	keep := func(c credentials) string { all = append(all, c); return c.file(t, 0o600) }
	said := &journal{}
	for name, c := range map[string]struct{ file, want string }{
		"none":                         {"", "Authorization Violation"},
		"of another operator":          {keep(newOperator(t).account(true).user(0)), "Authorization Violation"},
		"of an account nobody knows":   {keep((&account{t: t, key: stranger(t)}).user(0)), "Authorization Violation"},
		"expired":                      {keep(ours.user(-time.Hour)), "Authorization Violation"},
		"another user's seed":          {mixed.file(t, 0o600), "Authorization Violation"},
		"a signature that was cut":     {cut.file(t, 0o600), "Authorization Violation"},
		"an account without JetStream": {keep(op.account(false).user(0)), "this user's account has no JetStream"},
		"an empty file":                {write(""), "user.creds is empty"},
		"a file of something else":     {write("token: " + good.seed + "\n"), "user.creds"},
		"a JWT without a seed":         {write(good.jwt), "user.creds"},
	} {
		ctx, cancel := contextFor(t, 20*time.Second)
		st, err := store.Open(ctx, store.Options{NATS: &store.External{URL: url, CredsFile: c.file, Replica: "one"}, Fast: true, Log: said.log()})
		if err == nil {
			st.Close()
		}
		if err == nil || !strings.Contains(err.Error(), c.want) || ctx.Err() != nil {
			t.Errorf("%s: got %v (%v), want %q", name, err, ctx.Err(), c.want)
			cancel()
			continue
		}
		cancel()
		for _, secret := range all {
			if secret.in(err.Error()) {
				t.Errorf("%s: a credential is in the error: %v", name, err)
			}
		}
	}
	for _, secret := range all {
		if secret.in(said.String()) {
			t.Errorf("a credential is in the log: %s", said)
		}
	}
}

// TestWhoElseMayTouchTheCredentials refuses a file as the gateway refuses a keyring.
func TestWhoElseMayTouchTheCredentials(t *testing.T) {
	c := newOperator(t).account(true).user(0)
	for mode, want := range map[os.FileMode]string{
		0o600: "", 0o400: "", 0o640: "", 0o440: "",
		0o644: "chmod 600", 0o604: "chmod 600", 0o602: "chmod 600", 0o601: "chmod 600", 0o660: "chmod 600", 0o620: "chmod 600", 0o777: "chmod 600",
	} {
		err := (&store.External{URL: "tls://a:1", CredsFile: c.file(t, mode), Replica: "one"}).Check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want) || c.in(err.Error())) {
			t.Errorf("%04o: got %v, want %q", mode, err, want)
		}
	}
	fifo := filepath.Join(t.TempDir(), "fifo")
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{fifo, t.TempDir()} {
		err := (&store.External{URL: "tls://a:1", CredsFile: path, Replica: "one"}).Check()
		if err == nil || !strings.Contains(err.Error(), "not a regular file") {
			t.Errorf("%s: got %v", path, err)
		}
	}
}

func stranger(t *testing.T) nkeys.KeyPair {
	t.Helper()
	key, err := nkeys.CreateAccount()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// TestCredentialsAreReplacedWithoutARestart has a user expire. The server ends
// the connection, and lets in who comes with what is in the file by then.
func TestCredentialsAreReplacedWithoutARestart(t *testing.T) {
	t.Parallel()
	op := newOperator(t)
	ours := op.account(true)
	url := natsServers(t, 1, op.serves)
	ctx, cancel := contextFor(t, 40*time.Second)
	defer cancel()
	said := &journal{}
	told := make(refusals, 1)
	old, next := ours.user(4*time.Second), ours.user(0)
	path := old.file(t, 0o600)
	st, err := store.Open(ctx, store.Options{NATS: &store.External{URL: url, CredsFile: path, Replica: "one"}, Fast: true, Log: said.log(told)})
	if err != nil {
		t.Fatal(err)
	}
	defer st.Close()
	await(ctx, t, told, "the user expires")
	if _, err := st.Bucket(store.Tasks).Create(ctx, "k", []byte("v")); !errors.Is(err, store.ErrUnavailable) {
		t.Errorf("expired: got %v, want ErrUnavailable", err)
	}
	next.replace(t, path)
	for err := errors.New("not yet"); err != nil && !errors.Is(err, store.ErrExists); {
		if _, err = st.Bucket(store.Tasks).Create(ctx, "k", []byte("v")); ctx.Err() != nil {
			t.Fatalf("it is not let in again: %v", err)
		}
	}
	if old.in(said.String()) || next.in(said.String()) {
		t.Errorf("a credential is in the log: %s", said)
	}
}

func await(ctx context.Context, t *testing.T, told <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-told:
	case <-ctx.Done():
		t.Fatalf("not in time: %s", what)
	}
}
