package store_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/nats-io/nkeys"

	"github.com/llorch/gateway/orchestrator/store"
)

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
		"of an unknown account":        {keep((&account{t: t, key: stranger(t)}).user(0)), "Authorization Violation"},
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

// TestCredentialsWithUnsafePermissionsAreRefused refuses a file as the gateway refuses a keyring.
func TestCredentialsWithUnsafePermissionsAreRefused(t *testing.T) {
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
