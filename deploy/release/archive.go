package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"
)

// name is that of the platform's files, without an ending.
func (b *build) name() string {
	return fmt.Sprintf("llorch_%s_%s_%s", strings.TrimPrefix(b.version, "v"), b.os, b.arch)
}

// shipped are the files of the repository that an archive has.
var shipped = []string{"LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "Caddyfile.example", "deploy/README.md", "deploy/docs/*", "deploy/systemd/*", "deploy/presets/*",
	"deploy/observability/alerts/*.yml", "deploy/observability/alerts/tests/*", "deploy/observability/dashboards/*"}

// makeDocuments has the programs of this machine write their manual pages and completion.
func makeDocuments(ctx context.Context, built []build, dir string) error {
	at := slices.IndexFunc(built, func(b build) bool { return b.platform == platform{runtime.GOOS, runtime.GOARCH} })
	if at < 0 {
		return fmt.Errorf("--platforms: %s/%s is missing: its programs write the manual pages", runtime.GOOS, runtime.GOARCH)
	}
	bin, err := filepath.Abs(built[at].dir)
	if err != nil {
		return err
	}
	for _, program := range programs {
		if _, err := command(ctx, ".", nil, filepath.Join(bin, filepath.Base(program)), "manpage", "--directory", filepath.Join(dir, "man")); err != nil {
			return err
		}
	}
	llorch := filepath.Join(bin, "llorch")
	if err := os.MkdirAll(filepath.Join(dir, "completion"), 0o755); err != nil {
		return err
	}
	for shell, file := range map[string]string{"bash": "llorch.bash", "zsh": "_llorch", "fish": "llorch.fish"} {
		script, err := command(ctx, ".", nil, llorch, "completion", shell)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "completion", file), script, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// archive writes the platform's archive.
func (b *build) archive(out, documents string) error {
	files := map[string][]byte{"LICENSES-THIRD-PARTY": []byte(licenseList(b.modules))}
	read := func(name, path string) error {
		content, err := os.ReadFile(path)
		files[name] = content
		return err
	}
	var faults []error
	for _, program := range programs {
		faults = append(faults, read(b.executable(program), filepath.Join(b.dir, b.executable(program))))
	}
	for _, pattern := range shipped {
		found, err := fs.Glob(os.DirFS(b.source), pattern)
		if len(found) == 0 {
			err = fmt.Errorf("%s: there is no such file to ship", pattern)
		}
		faults = append(faults, err)
		for _, name := range found {
			faults = append(faults, read(name, filepath.Join(b.source, filepath.FromSlash(name))))
		}
	}
	faults = append(faults, filepath.WalkDir(documents, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		name, err := filepath.Rel(documents, path)
		return errors.Join(err, read(filepath.ToSlash(name), path))
	}))
	if err := errors.Join(faults...); err != nil {
		return err
	}
	text, err := tarball(b.name(), files, b.time)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(out, b.name()+".tar.gz"), text, 0o644)
}

// tarball packs files below a directory, sorted, all with one time and one owner: the same
// files are the same bytes.
func tarball(dir string, files map[string][]byte, at time.Time) ([]byte, error) {
	var out bytes.Buffer
	zip := gzip.NewWriter(&out)
	w := tar.NewWriter(zip)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		mode := int64(0o644)
		if !strings.Contains(name, "/") && slices.ContainsFunc(programs, func(p string) bool { return strings.TrimSuffix(name, ".exe") == filepath.Base(p) }) {
			mode = 0o755
		}
		header := &tar.Header{Typeflag: tar.TypeReg, Name: dir + "/" + name, Size: int64(len(files[name])), Mode: mode, ModTime: at.UTC(), Format: tar.FormatUSTAR, Uname: "root", Gname: "root"}
		if err := w.WriteHeader(header); err != nil {
			return nil, fmt.Errorf("packing %s: %w", name, err)
		}
		if _, err := w.Write(files[name]); err != nil {
			return nil, err
		}
	}
	if err := errors.Join(w.Close(), zip.Close()); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}
