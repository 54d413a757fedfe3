package main

import (
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
)

// TestEachLinkedModuleHasAKnownLicense looks at the modules of this tree: a new one with
// a license that asks for more than its text fails here, before a release.
func TestEachLinkedModuleHasAKnownLicense(t *testing.T) {
	b := build{platform: platform{runtime.GOOS, runtime.GOARCH}, source: filepath.Join("..", "..")}
	modules, err := b.linkedModules(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{
		"std": "BSD-3-Clause", "github.com/caddyserver/caddy/v2": "Apache-2.0", "github.com/spf13/pflag": "BSD-3-Clause",
		"github.com/danielgtaylor/huma/v2": "MIT", "github.com/hashicorp/golang-lru/v2": "MPL-2.0",
	}
	for _, m := range modules {
		if name, ok := want[m.path]; ok && slices.Contains(m.names(), name) {
			delete(want, m.path)
		}
	}
	if len(want) > 0 || len(modules) < 100 {
		t.Errorf("%d modules; not found with their license: %v", len(modules), want)
	}
	list := licenseList(modules)
	for _, text := range []string{"github.com/caddyserver/caddy/v2 v2.", "TERMS AND CONDITIONS FOR USE", "Redistribution and use in source and binary forms", "The Go Authors"} {
		if !strings.Contains(list, text) {
			t.Errorf("the list of licenses does not have %q", text)
		}
	}
	if err := allListed(map[string]bool{"std": true, "example.com/hidden": true}, map[string]module{"std": {}}); err == nil || !strings.Contains(err.Error(), "example.com/hidden is linked but not listed") {
		t.Errorf("a module that the list lacks: got %v", err)
	}
}

func TestAnUnknownLicenseIsRefused(t *testing.T) {
	const mit = "Permission is hereby granted, free of charge, to any person\nobtaining a copy … The above copyright notice and this permission notice shall be included"
	for name, c := range map[string]struct {
		files map[string]string
		want  string
	}{
		"MIT":                   {map[string]string{"LICENSE": mit}, ""},
		"none":                  {map[string]string{"README": "free"}, "no license file"},
		"a notice alone":        {map[string]string{"NOTICE": "free"}, "no license file"},
		"of its own":            {map[string]string{"LICENSE.md": "Do not sell it."}, "LICENSE.md is not one of those"},
		"GPL":                   {map[string]string{"COPYING": "GNU GENERAL PUBLIC LICENSE Version 3, 29 June 2007"}, "COPYING is not one of those"},
		"two, one of them ours": {map[string]string{"LICENSE": mit, "LICENSE.commercial": "Pay."}, "LICENSE.commercial is not one of those"},
	} {
		dir := t.TempDir()
		for file, text := range c.files {
			if err := os.WriteFile(filepath.Join(dir, file), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_, err := withLicenses(map[string]module{"m": {path: "m"}}, map[string]string{"m": dir}, map[string]map[string]bool{"m": {dir: true}})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", name, err, c.want)
		}
	}
}

func TestLicensesAreToldApart(t *testing.T) {
	const bsd = "Redistribution and use in source and binary forms, with or without\n// modification, are permitted provided"
	for text, want := range map[string]string{
		bsd: "BSD-2-Clause",
		bsd + " … may be used to endorse or promote products derived from this software without specific prior written permission":                            "BSD-3-Clause",
		bsd + " … All advertising materials mentioning … to endorse or promote products derived from this software without specific prior written permission": "",
		"Apache License\n   Version 2.0, January 2004 … TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION":                                         "Apache-2.0",
		"Licensed under the Apache License, Version 2.0 (the \"License\");":                                                                                   "Apache-2.0",
		"MIT License": "",
		"":            "",
	} {
		if got := recognize(text); got != want {
			t.Errorf("%.40q: got %q, want %q", text, got, want)
		}
	}
}
