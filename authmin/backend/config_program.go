package backend

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
)

// Program is a daemon: its command line, its configuration, and its signals.
type Program struct {
	Name string
	// Build is what --version prints.
	Build Build
	// Documentation is the source of the program's package comment, for --help.
	Documentation string
	// LogVariable is the environment variable of the key log_level.
	LogVariable string
	// ListenKey is the setting with the address that the daemon listens on.
	ListenKey string
	// Prefixes and Others are those of [Variables].
	Prefixes, Others []string
	// Environ lists the environment; nil: [os.Environ].
	Environ func() []string
	// New makes a daemon that has read nothing yet.
	New func() Daemon
}

// Daemon is one reading of a program's configuration, and what is started with it.
// Its methods are called in this order.
type Daemon interface {
	// Settings are its keys, without log_level.
	Settings() Settings
	// Secrets are its credentials.
	Secrets() Secrets
	// Check refuses settings that do not fit together, and derives others.
	Check(lookup Lookup) error
	// Open reads the secrets and refuses what a start would refuse before it opens
	// anything. A reload does not call it.
	Open(lookup Lookup) ([]*authmin.SecretSource, error)
	// Try refuses what only a trial shows; for --check.
	Try() error
	// Start starts the service.
	Start(ctx context.Context, log *slog.Logger) (Service, error)
}

// Service is a running daemon.
type Service interface {
	// Failed gives an error when the service stops serving by itself.
	Failed() <-chan error
	// Stop ends it, at the latest when ctx ends.
	Stop(ctx context.Context) error
	// StopLimit is how long Stop may take.
	StopLimit() time.Duration
	// SetSecrets puts secrets into use together, or refuses them; next gives that of a
	// source.
	SetSecrets(next func(*authmin.SecretSource) authmin.Secret) error
	// SecretFailed counts a file of a secret that could not be used.
	SecretFailed(kind string)
	// SecretsUnusable sets the number of secret files whose present content is not in use.
	// It is called at every look, each SecretInterval.
	SecretsUnusable(count int)
}

// reading is a daemon with what was read for it.
type reading struct {
	daemon   Daemon
	settings Settings
	config   *Config
	level    slog.Level
}

// CheckVariables refuses an environment variable that is a misspelled one of the
// program's.
func (p Program) CheckVariables() error {
	daemon := p.New()
	known := append(daemon.Settings().Variables(), p.LogVariable)
	environ := p.Environ
	if environ == nil {
		environ = os.Environ
	}
	variables := Variables{Program: p.Name, Prefixes: p.Prefixes, Known: append(known, daemon.Secrets().Variables()...), Others: p.Others}
	return variables.Check(environ())
}

// Read reads the configuration and the secrets.
func (p Program) Read(file string, lookup Lookup) (Daemon, error) {
	r, err := p.read(file, lookup)
	if err == nil {
		_, err = r.open(lookup)
	}
	return r.daemon, err
}

// read reads everything but secrets, and checks it.
func (p Program) read(file string, lookup Lookup) (*reading, error) {
	r := &reading{daemon: p.New()}
	level := "info"
	r.settings = append(r.daemon.Settings(), p.logLevel(&level))
	var err error
	if r.config, err = ReadConfig(file, lookup, r.settings); err != nil {
		return r, err
	}
	if err := r.level.UnmarshalText([]byte(level)); err != nil {
		return r, err
	}
	return r, r.config.Locate(r.daemon.Check(lookup))
}

// logLevel is the setting that each daemon has.
func (p Program) logLevel(to *string) Setting {
	return Setting{
		Key: "log_level", Variable: p.LogVariable, Default: "info", Live: true,
		Doc: "how much is logged; a reload takes another one up", Value: Choice(to, "debug", "info", "warn", "error"),
	}
}

func (r *reading) open(lookup Lookup) ([]*authmin.SecretSource, error) {
	sources, err := r.daemon.Open(lookup)
	if bad, ok := errors.AsType[*KeyError](err); ok {
		err = r.config.Locate(bad)
	}
	return sources, err
}

// Run is the program: its arguments are read, and the service runs until ctx ends.
func (p Program) Run(ctx context.Context, args []string, lookup Lookup, stdout, stderr io.Writer) error {
	if len(args) > 0 && args[0] == "health" {
		return p.health(ctx, args[1:], lookup, stdout, stderr)
	}
	flags := flag.NewFlagSet(p.Name, flag.ContinueOnError)
	flags.SetOutput(stderr)
	file := flags.String("config", "", "YAML `file`; every key is an environment variable too")
	check := flags.Bool("check", false, "check the configuration and exit")
	version := flags.Bool("version", false, "print the version and what it was built from, and exit")
	reference := flags.Bool("reference", false, "print the reference of the configuration, in Markdown, and exit")
	flags.Usage = func() { p.usage(flags) }
	if len(args) > 0 && args[0] == "manpage" {
		return p.writeManpage(args[1:], flags, stderr)
	}
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("unexpected argument %q; see --help", flags.Arg(0))
	}
	if *version {
		_, err := fmt.Fprint(stdout, p.Build.Text(p.Name))
		return err
	}
	if *reference {
		_, err := io.WriteString(stdout, p.reference())
		return err
	}
	if err := p.CheckVariables(); err != nil {
		return err
	}
	hangUps, done := hangUps()
	defer done()
	r, err := p.read(*file, lookup)
	if err != nil {
		return err
	}
	sources, err := r.open(lookup)
	if err != nil {
		return err
	}
	if *check {
		if err := r.config.Locate(r.daemon.Try()); err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%s: the configuration is valid\n", p.Name)
		return nil
	}
	level := new(slog.LevelVar)
	level.Set(r.level)
	log := slog.New(slog.NewJSONHandler(stderr, &slog.HandlerOptions{Level: level}))
	defer takeStandardLog(log)()
	return p.serve(ctx, hangUps, &reloader{program: p, file: *file, lookup: lookup, started: r, sources: sources, level: level, log: log})
}

// usage prints the documentation, each key and credential as they are declared, and the
// flags: where only the program is installed there is no other.
func (p Program) usage(flags *flag.FlagSet) {
	text, _, _ := strings.Cut(p.Documentation, "\npackage ")
	for line := range strings.Lines(text) {
		fmt.Fprint(flags.Output(), strings.TrimPrefix(strings.TrimPrefix(line, "//"), " "))
	}
	d := p.New()
	fmt.Fprintf(flags.Output(), "\n\n# Keys\n\n%s\n# Credentials\n\n%s\nFlags:\n", p.keys(d).help(""), d.Secrets().help())
	flags.PrintDefaults()
}
