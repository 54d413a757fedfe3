package backend

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/testkit"
)

const (
	firstToken  = "canary-first-0123456789abcdefghijklmnop"
	secondToken = "canary-second-0123456789abcdefghijklmno"
	waitLimit   = 10 * time.Second
)

// thing is a daemon with a token, and its own service.
type thing struct {
	program
	token   *authmin.SecretSource
	inUse   chan string
	failed  chan error
	stopped chan struct{}
	problem error

	unusable *atomic.Int64
}

func (d *thing) Settings() Settings { return d.settings() }
func (d *thing) Secrets() Secrets {
	return Secrets{{Variable: "T_TOKEN", Source: &d.token}}
}
func (d *thing) Check(Lookup) error {
	if d.Size == 13 {
		return KeyErrorf("size", "unlucky")
	}
	return nil
}
func (d *thing) Open(lookup Lookup) ([]*authmin.SecretSource, error) { return d.Secrets().Read(lookup) }
func (d *thing) Try() error {
	if d.Mode == "none" {
		return KeyErrorf("mode", "cannot be tried")
	}
	return nil
}
func (d *thing) Start(_ context.Context, log *slog.Logger) (Service, error) {
	log.Info("serving")
	return d, d.problem
}
func (d *thing) Failed() <-chan error       { return d.failed }
func (d *thing) Stop(context.Context) error { close(d.stopped); return nil }
func (d *thing) StopLimit() time.Duration   { return time.Second }
func (d *thing) SetSecrets(next func(*authmin.SecretSource) authmin.Secret) error {
	d.inUse <- next(d.token).Reveal()
	return nil
}
func (d *thing) SecretFailed(kind string) { d.inUse <- "failed " + kind }
func (d *thing) SecretsUnusable(n int)    { d.unusable.Store(int64(n)) }
func (d *thing) Reload() (reloaded, needsRestart, failed []string) {
	return []string{"certificate"}, []string{"authority"}, nil
}

// run is a program that runs.
type run struct {
	thing *thing
	ended chan error
	stop  context.CancelFunc

	mu  sync.Mutex
	log bytes.Buffer
}

func (r *run) Write(p []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.log.Write(p)
}

// logged waits for a record of the log.
func (r *run) logged(t *testing.T, message string, n int) map[string]any {
	t.Helper()
	limit, ticker := time.After(waitLimit), time.NewTicker(10*time.Millisecond)
	defer ticker.Stop()
	for {
		r.mu.Lock()
		text := r.log.String()
		r.mu.Unlock()
		found := 0
		for line := range strings.Lines(text) {
			record := map[string]any{}
			if json.Unmarshal([]byte(line), &record) == nil && record["msg"] == message {
				if found++; found == n {
					return record
				}
			}
		}
		select {
		case <-ticker.C:
		case <-limit:
			t.Fatalf("the log has no %q number %d in\n%s", message, n, text)
		}
	}
}

func newProgram(d *thing) Program {
	return Program{
		Name: "thingd", Build: Build{Version: "1.2", Go: "go1.26", Platform: "linux/arm64"}, Documentation: "// Command thingd is a test.\npackage main\n", LogVariable: "T_LOG_LEVEL",
		Prefixes: []string{"T_"}, Environ: func() []string { return nil }, New: func() Daemon {
			fresh := *d
			return &fresh
		},
	}
}

func start(t *testing.T, args []string, lookup Lookup) *run {
	t.Helper()
	d := &thing{inUse: make(chan string, 10), failed: make(chan error, 1), stopped: make(chan struct{}), unusable: new(atomic.Int64)}
	ctx, stop := context.WithCancel(t.Context())
	r := &run{thing: d, ended: make(chan error, 1), stop: stop}
	go func() { r.ended <- newProgram(d).Run(ctx, args, lookup, r, r) }()
	r.logged(t, "serving", 1)
	return r
}

func TestAProgramReloadsAndStops(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	write := func(path, text string) {
		t.Helper()
		if err := os.WriteFile(path+".new", []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(path+".new", path); err != nil {
			t.Fatal(err)
		}
	}
	write(token, firstToken)
	config := file(t, "size: 1\n")
	r := start(t, []string{"--config", config}, environment("T_TOKEN_FILE", token))
	write(token, secondToken)
	if got := testkit.Receive(t, r.thing.inUse, "the token in use"); got != secondToken {
		t.Errorf("got %s in use", got)
	}
	r.logged(t, "token loaded", 1)
	for i, c := range []struct{ text, want string }{
		{"size: 1\n", "INFO [tokens in files certificate log_level INFO] [authority] []"},
		{"size: 13\n", "ERROR [tokens in files certificate] [authority] [configuration: " + config + ":1: size (T_SIZE): unlucky]"},
		{"size: 2\nlog_level: debug\n", "INFO [tokens in files certificate log_level DEBUG] [authority size] []"},
		{"spoiled", "INFO [tokens in files certificate log_level DEBUG] [authority size] []"},
	} {
		if c.text == "spoiled" {
			write(token, "short") // the watch reports it, and the rest is reloaded
		} else {
			write(config, c.text)
		}
		if err := syscall.Kill(os.Getpid(), syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		record := r.logged(t, "reloaded", i+1)
		if got := fmt.Sprint(record["level"], " ", record["reloaded"], " ", record["needs_restart"], " ", record["failed"]); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
	r.logged(t, "token not loaded; the last good one stays in use", 1)
	if got := testkit.Receive(t, r.thing.inUse, "the token in use"); got != "failed T_TOKEN" {
		t.Errorf("got %s, want a count of the token's file", got)
	}
	testkit.Eventually(t, "one token's file is unusable", func() bool { return r.thing.unusable.Load() == 1 })
	r.stop()
	if err := testkit.Receive(t, r.ended, "the end"); err != nil {
		t.Error(err)
	}
	testkit.Receive(t, r.thing.stopped, "the end of the stop")
	r.logged(t, "stopping", 1)
}

func TestAProgramEndsWithItsService(t *testing.T) {
	r := start(t, nil, environment())
	defer r.stop()
	lost := errors.New("listener lost")
	r.thing.failed <- lost
	if err := testkit.Receive(t, r.ended, "the end"); !errors.Is(err, lost) {
		t.Errorf("got %v, want %v", err, lost)
	}
	testkit.Receive(t, r.thing.stopped, "the end of the stop")
	r.thing.problem = context.Canceled
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if err := newProgram(r.thing).Run(ctx, nil, environment(), r, r); err != nil {
		t.Errorf("stopped while it started: got %v", err)
	}
}

func TestArgumentsOfAProgram(t *testing.T) {
	for name, c := range map[string]struct {
		args []string
		env  []string
		out  string // of stdout
		want string // of the error; "": none
	}{
		"check":            {[]string{"--check"}, nil, "thingd: the configuration is valid\n", ""},
		"a failed check":   {[]string{"--check"}, []string{"T_SIZE", "13"}, "", "environment: size (T_SIZE): unlucky"},
		"a failed trial":   {[]string{"--check"}, []string{"T_MODE", "none"}, "", "environment: mode (T_MODE): cannot be tried"},
		"a log level":      {[]string{"--check"}, []string{"T_LOG_LEVEL", "loud"}, "", "environment: log_level (T_LOG_LEVEL): invalid value \"loud\": want debug, info, warn or error"},
		"a weak token":     {[]string{"--check"}, []string{"T_TOKEN", "short"}, "", "reading token from T_TOKEN: "},
		"version":          {[]string{"--version"}, nil, "thingd 1.2\ncommit unknown\ngo go1.26 linux/arm64\n", ""},
		"help":             {[]string{"--help"}, nil, "", ""},
		"an argument":      {[]string{"x"}, nil, "", "unexpected argument \"x\"; see --help"},
		"an unknown flag":  {[]string{"--nope"}, nil, "", "flag provided but not defined: -nope"},
		"a file not there": {[]string{"--config", "/nowhere/c.yaml"}, nil, "", "reading the configuration: open /nowhere/c.yaml"},
	} {
		var out, help bytes.Buffer
		err := newProgram(new(thing)).Run(t.Context(), c.args, environment(c.env...), &out, &help)
		if out.String() != c.out || (err == nil) != (c.want == "") || err != nil && !strings.HasPrefix(err.Error(), c.want) {
			t.Errorf("%s: got %q, %v, want %q, %q", name, &out, err, c.out, c.want)
		}
		if name == "help" && (!strings.HasPrefix(help.String(), "Command thingd is a test.\n") || !strings.Contains(help.String(), "-check")) {
			t.Errorf("help: got %q", &help)
		}
	}
	p := newProgram(new(thing))
	p.Environ = func() []string { return []string{"T_MODEL=x"} }
	if err := p.Run(t.Context(), []string{"--check"}, environment(), &bytes.Buffer{}, &bytes.Buffer{}); err == nil || !strings.Contains(err.Error(), "T_MODELS") {
		t.Errorf("a misspelled variable: got %v", err)
	}
}
