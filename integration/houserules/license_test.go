package houserules_test

import (
	"io/fs"
	"os"
	"strings"
	"testing"
	"testing/fstest"
)

// The license, as the SPDX list names it and where its terms are.
const (
	licenseID      = "Apache-2.0"
	licenseAddress = "https://www.apache.org/licenses/LICENSE-2.0"
)

// TestLicense: LICENSE and README.md name the license by its SPDX identifier and
// its address, so that people and license scanners find the same one.
func TestLicense(t *testing.T) {
	for _, fault := range licenseFaults(os.DirFS(root(t))) {
		t.Error(fault)
	}
}

func TestLicenseCanFail(t *testing.T) {
	whole := "SPDX-License-Identifier: " + licenseID + "\n" + licenseAddress + "\n"
	cases := map[string]struct {
		license, readme string
		faults          int
	}{
		"both named":           {whole, whole, 0},
		"no file":              {"", whole, 1},
		"another license":      {strings.Replace(whole, licenseID, "MIT", 1), whole, 1},
		"no address in README": {whole, licenseID, 1},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			tree := fstest.MapFS{"README.md": {Data: []byte(c.readme)}}
			if c.license != "" {
				tree["LICENSE"] = &fstest.MapFile{Data: []byte(c.license)}
			}
			if got := licenseFaults(tree); len(got) != c.faults {
				t.Errorf("got %q, want %d", got, c.faults)
			}
		})
	}
}

func licenseFaults(tree fs.FS) (faults []string) {
	for name, words := range map[string][]string{
		"LICENSE":   {"SPDX-License-Identifier: " + licenseID, licenseAddress},
		"README.md": {licenseID, licenseAddress},
	} {
		text, err := fs.ReadFile(tree, name)
		if err != nil {
			faults = append(faults, err.Error())
			continue
		}
		for _, word := range words {
			if !strings.Contains(string(text), word) {
				faults = append(faults, name+" does not name "+word)
			}
		}
	}
	return faults
}
