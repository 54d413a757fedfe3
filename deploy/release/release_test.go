package main

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
)

var commitTime = time.Date(2026, 11, 30, 15, 0, 0, 0, time.FixedZone("CET", 3600))

func TestArgumentsAreRefused(t *testing.T) {
	full := t.TempDir()
	if err := os.WriteFile(filepath.Join(full, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for args, want := range map[string]string{
		"":                              "--out DIR",
		"--out x now":                   "--out DIR",
		"--out x --again often":         "shared or fresh",
		"--out x --platforms linux":     "not OS/ARCH",
		"--out " + full:                 "not empty",
		"--out x --repository /no/such": "no such file",
	} {
		if err := run(t.Context(), strings.Fields(args), io.Discard); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q", args, err, want)
		}
	}
}

// The same files are the same bytes, whatever order and clock; programs can be run.
func TestAnArchiveIsReproducible(t *testing.T) {
	files := map[string][]byte{"llorch": []byte("program"), "deploy/docs/a.md": []byte("a"), "README.md": nil}
	first, err := tarball("llorch_1.2.3_linux_amd64", files, commitTime)
	if err != nil {
		t.Fatal(err)
	}
	second, err := tarball("llorch_1.2.3_linux_amd64", files, commitTime.UTC())
	if err != nil || !bytes.Equal(first, second) {
		t.Errorf("two archives differ (%v)", err)
	}
	zip, err := gzip.NewReader(bytes.NewReader(first))
	if err != nil {
		t.Fatal(err)
	}
	var listing []string
	for r := tar.NewReader(zip); ; {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if !header.ModTime.Equal(commitTime) || header.Uid != 0 {
			t.Errorf("%s: time %v, user %d", header.Name, header.ModTime, header.Uid)
		}
		listing = append(listing, header.FileInfo().Mode().String()+" "+header.Name)
	}
	want := "-rw-r--r-- llorch_1.2.3_linux_amd64/README.md\n-rw-r--r-- llorch_1.2.3_linux_amd64/deploy/docs/a.md\n-rwxr-xr-x llorch_1.2.3_linux_amd64/llorch"
	if got := strings.Join(listing, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestABillOfMaterialsCanBeRead(t *testing.T) {
	b := build{platform: platform{"linux", "amd64"}, dir: t.TempDir(), version: "v1.2.3", time: commitTime, modules: []module{
		{path: "example.com/a", version: "v2.0.0+incompatible", texts: []licenseText{{name: "MIT"}, {file: "NOTICE"}}},
		{path: "example.com/b", version: "v1.0.0", texts: []licenseText{{name: "MIT"}, {name: "Apache-2.0 AND MIT"}}},
	}}
	for _, program := range programs {
		if err := os.WriteFile(filepath.Join(b.dir, b.executable(program)), []byte(program), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	out := t.TempDir()
	if err := b.writeSBOM(out); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(out, "llorch_1.2.3_linux_amd64.cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var bom cyclonedx.BOM
	if err := cyclonedx.NewBOMDecoder(bytes.NewReader(text), cyclonedx.BOMFileFormatJSON).Decode(&bom); err != nil {
		t.Fatal(err)
	}
	if bom.Metadata.Timestamp != "2026-11-30T14:00:00Z" || bom.SerialNumber != "" || len(*bom.Components) != 5 {
		t.Errorf("got time %q, serial number %q, %d components", bom.Metadata.Timestamp, bom.SerialNumber, len(*bom.Components))
	}
	for _, want := range []string{`"pkg:golang/example.com/a@v2.0.0%2Bincompatible"`, `"id": "MIT"`, `"expression": "Apache-2.0 AND MIT"`, `"alg": "SHA-256"`, `"specVersion": "1.6"`} {
		if !bytes.Contains(text, []byte(want)) {
			t.Errorf("the bill of materials does not have %s:\n%s", want, text)
		}
	}
}

func TestADifferenceIsReported(t *testing.T) {
	dir := t.TempDir()
	for name, text := range map[string]string{"llorch": "abcd", "same": "abcd", "other": "abXd", "longer": "abcde"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"same": "", "other": "first difference at 2", "longer": "4 and 5 bytes, the first difference at 4", "none": "no such file"} {
		err := sameFile(filepath.Join(dir, "llorch"), filepath.Join(dir, name))
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
	sums, err := checksums(dir)
	if err != nil || strings.Count(sums, "\n") != 4 || !strings.Contains(sums, "88d4266fd4e6338d13b845fcf289579d209c897823b9217da3e161936f031589  llorch\n") {
		t.Errorf("got %v,\n%s", err, sums)
	}
}
