package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// files lists what git knows of the tree, and new files that it does not ignore.
func files(ctx context.Context, root string) ([]string, error) {
	out, err := output(ctx, root, "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(out), func(c rune) bool { return c == 0 }), nil
}

// treeHash names the state of all files, so that results of another state are not
// taken for results of this one.
func treeHash(ctx context.Context, root string) (string, error) {
	names, err := files(ctx, root)
	if err != nil {
		return "", err
	}
	all := sha256.New()
	for _, name := range names {
		one, err := fileHash(filepath.Join(root, name))
		if err != nil {
			return "", fmt.Errorf("hashing the tree: %w", err)
		}
		fmt.Fprintf(all, "%d %s %s\n", len(name), name, one)
	}
	return fmt.Sprintf("%x", all.Sum(nil)), nil
}

func fileHash(path string) (string, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return "deleted", nil
	}
	if err != nil {
		return "", err
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return "special", err
	}
	h := sha256.New()
	if _, err := io.Copy(h, file); err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", h.Sum(nil)), nil
}

// changed lists the folders with Go files that differ from the last commit.
func changed(ctx context.Context, root string) ([]string, error) {
	diff, err := output(ctx, root, "git", "diff", "-z", "--name-only", "HEAD")
	if err != nil {
		return nil, err
	}
	added, err := output(ctx, root, "git", "ls-files", "-z", "--others", "--exclude-standard")
	if err != nil {
		return nil, err
	}
	return strings.FieldsFunc(string(diff)+string(added), func(c rune) bool { return c == 0 }), nil
}

// output runs a program for what it prints; its errors are in the error.
func output(ctx context.Context, root, name string, args ...string) ([]byte, error) {
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir = root
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return nil, fmt.Errorf("running %s %s: %w: %s", name, strings.Join(args, " "), err, bytes.TrimSpace(errs.Bytes()))
	}
	return out.Bytes(), nil
}
