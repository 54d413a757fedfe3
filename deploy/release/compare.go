package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// compare builds the programs of one platform again, from a clone in another directory,
// and reports each that differs.
func compare(ctx context.Context, o options, first build, dir string, log io.Writer) (err error) {
	second := build{platform: first.platform, source: filepath.Join(dir, "source"), dir: filepath.Join(dir, "programs")}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if err := clone(ctx, o.root, second.source); err != nil {
		return err
	}
	if o.again == "fresh" {
		second.cache = filepath.Join(dir, "cache")
	}
	if err := second.compile(ctx); err != nil {
		return err
	}
	var faults []error
	for _, name := range programs {
		if err := sameFile(filepath.Join(first.dir, first.executable(name)), filepath.Join(second.dir, first.executable(name))); err != nil {
			faults = append(faults, err)
		}
	}
	if err := errors.Join(faults...); err != nil {
		return err
	}
	fmt.Fprintf(log, "%s: built twice, the same bytes (%s cache)\n", first.platform, o.again)
	return nil
}

// sameFile says at which byte two files differ.
func sameFile(a, b string) error {
	one, err := os.ReadFile(a)
	if err != nil {
		return err
	}
	two, err := os.ReadFile(b)
	if err != nil {
		return err
	}
	if bytes.Equal(one, two) {
		return nil
	}
	at := 0
	for at < min(len(one), len(two)) && one[at] == two[at] {
		at++
	}
	return fmt.Errorf("%s is not reproducible: %d and %d bytes, the first difference at %d", filepath.Base(a), len(one), len(two), at)
}

// checksums are the SHA-256 of all files of a directory, as sha256sum -c reads them.
func checksums(dir string) (string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	var b strings.Builder
	for _, entry := range entries {
		content, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "%x  %s\n", sha256.Sum256(content), entry.Name())
	}
	return b.String(), nil
}
