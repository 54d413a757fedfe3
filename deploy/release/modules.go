package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// module is a module of which packages are linked.
type module struct {
	path, version string
	texts         []licenseText
}

// licenseText is a file with a license or a notice.
type licenseText struct {
	file string // relative to the module
	text string
	name string // SPDX; "": a notice beside a license
}

// names are the module's licenses, by their SPDX names.
func (m module) names() []string {
	var names []string
	for _, t := range m.texts {
		if t.name != "" {
			names = append(names, t.name)
		}
	}
	return slices.Compact(slices.Sorted(slices.Values(names)))
}

// listed is the part of `go list -json` that is used.
type listed struct {
	Dir      string
	Standard bool
	Module   *struct {
		Path, Version, Dir string
		Main               bool
		Replace            *struct{ Path, Version string }
	}
}

// linkedModules lists the modules of all packages that the programs consist of, with
// their licenses, and Go itself. linked are those that Go has recorded in the programs:
// one that is missing from the list is an error, as is one without a known license.
func (b *build) linkedModules(ctx context.Context, linked map[string]bool) ([]module, error) {
	out, err := command(ctx, b.source, b.environment(), "go", append([]string{"list", "-deps", "-json=Dir,Standard,Module"}, programs...)...)
	if err != nil {
		return nil, err
	}
	goRoot, err := command(ctx, b.source, b.environment(), "go", "env", "GOROOT", "GOVERSION")
	if err != nil {
		return nil, err
	}
	root, version, _ := strings.Cut(strings.TrimSpace(string(goRoot)), "\n")
	std := module{path: "std", version: version}
	found, folders := map[string]module{"std": std}, map[string]map[string]bool{"std": {root: true}}
	roots := map[string]string{"std": root}
	for decoder := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := decoder.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return nil, fmt.Errorf("reading go list: %w", err)
		}
		if p.Standard || p.Module == nil || p.Module.Main {
			continue
		}
		if p.Module.Replace != nil {
			return nil, fmt.Errorf("module %s is replaced: a release is built from published modules", p.Module.Path)
		}
		m := p.Module
		found[m.Path], roots[m.Path] = module{path: m.Path, version: m.Version}, m.Dir
		if folders[m.Path] == nil {
			folders[m.Path] = map[string]bool{}
		}
		for dir := p.Dir; len(dir) >= len(m.Dir); dir = filepath.Dir(dir) {
			folders[m.Path][dir] = true
		}
	}
	if err := allListed(linked, found); err != nil {
		return nil, err
	}
	return withLicenses(found, roots, folders)
}

// allListed refuses a list that lacks a module which is in the programs.
func allListed(linked map[string]bool, found map[string]module) error {
	for path := range linked {
		if _, ok := found[path]; !ok {
			return fmt.Errorf("module %s is linked but not listed", path)
		}
	}
	return nil
}

// withLicenses reads the license files of modules: those beside the packages that are
// linked, and in the folders above these.
func withLicenses(found map[string]module, roots map[string]string, folders map[string]map[string]bool) ([]module, error) {
	var all []module
	var faults []error
	for _, path := range slices.Sorted(maps.Keys(found)) {
		m := found[path]
		for _, dir := range slices.Sorted(maps.Keys(folders[path])) {
			texts, err := licenseFiles(roots[path], dir)
			if err != nil {
				return nil, err
			}
			m.texts = append(m.texts, texts...)
		}
		if err := m.check(); err != nil {
			faults = append(faults, err)
		}
		all = append(all, m)
	}
	return all, errors.Join(faults...)
}

// licenseFile are the names of files with licenses, and noticeFile of those beside them
// that have to be passed on, too.
var (
	licenseFile = regexp.MustCompile(`(?i)^(licen[cs]e|copying|unlicense)([.-].*)?$`)
	noticeFile  = regexp.MustCompile(`(?i)^(notice|patents)([.-].*)?$`)
)

func licenseFiles(root, dir string) ([]licenseText, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var texts []licenseText
	for _, entry := range entries {
		isLicense := licenseFile.MatchString(entry.Name()) && filepath.Ext(entry.Name()) != ".go"
		if !entry.Type().IsRegular() || !isLicense && !noticeFile.MatchString(entry.Name()) {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		relative, err := filepath.Rel(root, filepath.Join(dir, entry.Name()))
		if err != nil {
			return nil, err
		}
		t := licenseText{file: relative, text: string(text)}
		if isLicense {
			if t.name = recognize(t.text); t.name == "" {
				t.name = unknown
			}
		}
		texts = append(texts, t)
	}
	return texts, nil
}
