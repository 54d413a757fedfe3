package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	cyclonedx "github.com/CycloneDX/cyclonedx-go"
)

// writeSBOM writes what the programs of one platform consist of.
func (b *build) writeSBOM(out string) (err error) {
	bom, err := b.bom()
	if err != nil {
		return err
	}
	file, err := os.Create(filepath.Join(out, b.name()+".cdx.json"))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, file.Close()) }()
	return cyclonedx.NewBOMEncoder(file, cyclonedx.BOMFileFormatJSON).SetPretty(true).Encode(bom)
}

// bom lists the programs with their digests and all modules with their licenses. It has no
// serial number, and the time of the commit: it is the same whenever it is made.
func (b *build) bom() (*cyclonedx.BOM, error) {
	bom := cyclonedx.NewBOM()
	main := cyclonedx.Component{
		BOMRef: packageURL("github.com/llorch/gateway", b.version), Type: cyclonedx.ComponentTypeApplication, Name: "llorch", Version: b.version,
		PackageURL: packageURL("github.com/llorch/gateway", b.version), Licenses: licensesOf([]string{"Apache-2.0"}),
	}
	bom.Metadata = &cyclonedx.Metadata{Timestamp: b.time.UTC().Format(time.RFC3339), Component: &main}
	var components []cyclonedx.Component
	for _, program := range programs {
		content, err := os.ReadFile(filepath.Join(b.dir, b.executable(program)))
		if err != nil {
			return nil, err
		}
		sum := sha256.Sum256(content)
		components = append(components, cyclonedx.Component{
			BOMRef: "file:" + b.executable(program), Type: cyclonedx.ComponentTypeFile, Name: b.executable(program),
			Hashes: &[]cyclonedx.Hash{{Algorithm: cyclonedx.HashAlgoSHA256, Value: hex.EncodeToString(sum[:])}},
		})
	}
	uses := []string{}
	for _, m := range b.modules {
		ref := packageURL(m.path, m.version)
		uses = append(uses, ref)
		components = append(components, cyclonedx.Component{
			BOMRef: ref, Type: cyclonedx.ComponentTypeLibrary, Name: m.path, Version: m.version, PackageURL: ref, Licenses: licensesOf(m.names()),
		})
	}
	bom.Components = &components
	bom.Dependencies = &[]cyclonedx.Dependency{{Ref: main.BOMRef, Dependencies: &uses}}
	return bom, nil
}

// packageURL names a module as the package URL specification has it.
func packageURL(path, version string) string {
	return fmt.Sprintf("pkg:golang/%s@%s", path, strings.ReplaceAll(version, "+", "%2B"))
}

// licensesOf is a list of licenses, or an expression where a name is one.
func licensesOf(names []string) *cyclonedx.Licenses {
	var single []string
	for _, name := range names {
		single = append(single, strings.Split(name, " AND ")...)
	}
	names = slices.Compact(slices.Sorted(slices.Values(single)))
	if len(names) == 1 {
		return &cyclonedx.Licenses{{License: &cyclonedx.License{ID: names[0]}}}
	}
	return &cyclonedx.Licenses{{Expression: strings.Join(names, " AND ")}}
}
