package main

import (
	"fmt"
	"slices"
	"strings"
)

// unknown is the name of a license that is not recognized.
const unknown = "unknown"

// known are the licenses whose terms a release keeps: the text is passed on, and the
// source is public. A license that asks for more is not among them, so that a module
// which has it fails the release.
var known = []struct {
	name string
	has  []string // phrases of its text, in lower case, with single blanks
	not  []string // phrases of others that contain the same
}{
	{"Apache-2.0", []string{"apache license version 2.0, january 2004", "terms and conditions for use, reproduction, and distribution"}, nil},
	{"Apache-2.0", []string{"licensed under the apache license, version 2.0 (the \"license\")"}, []string{"terms and conditions for use"}},
	{"MPL-2.0", []string{"mozilla public license version 2.0", "1.1. \"contributor\""}, nil},
	{"MPL-2.0", []string{"mozilla public license, version 2.0", "1.1. \"contributor\""}, nil},
	{"MIT", []string{"permission is hereby granted, free of charge, to any person obtaining a copy", "the above copyright notice and this permission notice shall be included"}, nil},
	{"ISC", []string{"permission to use, copy, modify, and", "distribute this software for any purpose with or without fee is hereby granted, provided that the above copyright notice"}, nil},
	{"BSD-3-Clause", []string{"redistribution and use in source and binary forms, with or without modification, are permitted", "to endorse or promote products derived from this software without specific prior written permission"}, []string{"all advertising materials"}},
	{"BSD-2-Clause", []string{"redistribution and use in source and binary forms, with or without modification, are permitted"}, []string{"to endorse or promote products", "all advertising materials"}},
	{"CC0-1.0", []string{"cc0 1.0 universal"}, nil},
	{"Unlicense", []string{"this is free and unencumbered software released into the public domain"}, nil},
	{"Zlib", []string{"this software is provided 'as-is', without any express or implied warranty", "altered source versions must be plainly marked as such"}, nil},
}

// recognize names the licenses of a text, joined by AND; "": none is known.
func recognize(text string) string {
	text = strings.Join(strings.Fields(strings.NewReplacer("“", `"`, "”", `"`, "’", "'", "//", " ", "#", " ", ">", " ").Replace(strings.ToLower(text))), " ")
	in := func(phrase string) bool { return strings.Contains(text, phrase) }
	var names []string
	for _, license := range known {
		if !slices.ContainsFunc(license.has, func(phrase string) bool { return !in(phrase) }) && !slices.ContainsFunc(license.not, in) &&
			!slices.Contains(names, license.name) {
			names = append(names, license.name)
		}
	}
	return strings.Join(names, " AND ")
}

// check refuses a module without a license, or with an unknown one.
func (m module) check() error {
	names := m.names()
	if len(names) == 0 {
		return fmt.Errorf("module %s %s has no license file", m.path, m.version)
	}
	for _, t := range m.texts {
		if t.name == unknown {
			return fmt.Errorf("module %s %s: the license in %s is not one of those that deploy/release knows", m.path, m.version, t.file)
		}
	}
	return nil
}

// licenseList is the list of what is linked, with all texts.
func licenseList(modules []module) string {
	var b strings.Builder
	b.WriteString("llorch is licensed under Apache-2.0, see LICENSE. The programs contain these modules:\n\n")
	for _, m := range modules {
		fmt.Fprintf(&b, "%s %s: %s\n", m.path, m.version, strings.Join(m.names(), " AND "))
	}
	for _, m := range modules {
		for _, t := range m.texts {
			fmt.Fprintf(&b, "\n%s\n%s %s, %s\n\n%s\n", strings.Repeat("-", 78), m.path, m.version, t.file, strings.TrimRight(t.text, "\n"))
		}
	}
	return b.String()
}
