// Command release makes what a release of llorch consists of: for each platform an
// archive with the three programs, their documents, manual pages, completion and the
// licenses of what is linked, and a software bill of materials (CycloneDX); and over all
// of it SHA256SUMS.
//
//	go run ./deploy/release --out DIR                    for this machine's platform
//	go run ./deploy/release --out DIR --platforms linux/amd64,linux/arm64 --again fresh
//
// It builds the commit HEAD, from a clone of its own: changes that are not committed are
// left out, and the version is that of the tag, as Go derives it. With --again it builds
// the programs a second time from another directory, and compares them byte by byte.
// "shared" takes packages from the build cache, which the two builds then have in common:
// that finds paths, times and environment in what is linked. "fresh" compiles everything
// again, and takes minutes.
//
// It signs and publishes nothing.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"strings"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	err := run(ctx, os.Args[1:], os.Stdout)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// options are the flags.
type options struct {
	root      string // the repository
	out       string
	platforms []platform
	again     string // "", shared or fresh
}

func parse(args []string) (options, error) {
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	root := flags.String("repository", ".", "the repository whose HEAD is built")
	out := flags.String("out", "", "where the files go; the directory must not exist, or be empty")
	platforms := flags.String("platforms", runtime.GOOS+"/"+runtime.GOARCH, "OS/ARCH, several separated by commas; this machine's is one of them")
	again := flags.String("again", "", "build twice and compare: shared or fresh")
	if err := flags.Parse(args); err != nil {
		return options{}, err
	}
	o := options{root: *root, out: *out, again: *again}
	if flags.NArg() > 0 || o.out == "" || o.again != "" && o.again != "shared" && o.again != "fresh" {
		return o, errors.New("want --out DIR, and --again shared or fresh; see --help")
	}
	for text := range strings.SplitSeq(*platforms, ",") {
		os, arch, ok := strings.Cut(text, "/")
		if !ok || os == "" || arch == "" {
			return o, fmt.Errorf("--platforms: %q is not OS/ARCH", text)
		}
		o.platforms = append(o.platforms, platform{os, arch})
	}
	return o, nil
}

func run(ctx context.Context, args []string, log io.Writer) (err error) {
	o, err := parse(args)
	if errors.Is(err, flag.ErrHelp) {
		return nil
	} else if err != nil {
		return err
	}
	if there, err := filepath.Glob(filepath.Join(o.out, "*")); err != nil || len(there) > 0 {
		return fmt.Errorf("--out %s: not empty", o.out)
	}
	work, err := os.MkdirTemp("", "llorch-release-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(work)) }()
	source := filepath.Join(work, "source")
	if err := clone(ctx, o.root, source); err != nil {
		return err
	}
	var built []build
	for _, p := range o.platforms {
		b := build{platform: p, source: source, dir: filepath.Join(work, p.os+"-"+p.arch)}
		if err := b.compile(ctx); err != nil {
			return err
		}
		if err := b.inspect(ctx); err != nil {
			return err
		}
		built = append(built, b)
		fmt.Fprintf(log, "%s: %s, %d modules linked\n", p, b.version, len(b.modules))
	}
	if o.again != "" {
		if err := compare(ctx, o, built[0], filepath.Join(work, "again", "elsewhere"), log); err != nil {
			return err
		}
	}
	return write(ctx, o, built, work, log)
}

// write makes the files of the release from what was built.
func write(ctx context.Context, o options, built []build, work string, log io.Writer) error {
	documents := filepath.Join(work, "documents")
	if err := makeDocuments(ctx, built, documents); err != nil {
		return err
	}
	if err := os.MkdirAll(o.out, 0o755); err != nil {
		return err
	}
	for _, b := range built {
		if err := b.archive(o.out, documents); err != nil {
			return err
		}
		if err := b.writeSBOM(o.out); err != nil {
			return err
		}
	}
	sums, err := checksums(o.out)
	if err != nil {
		return err
	}
	fmt.Fprint(log, sums)
	return os.WriteFile(filepath.Join(o.out, "SHA256SUMS"), []byte(sums), 0o644)
}
