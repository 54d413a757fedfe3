// Package unicodetable_test writes authmin's tables of Unicode normalisation,
// and holds authmin's normalisation against golang.org/x/text, which authmin,
// having the standard library only, cannot import.
package unicodetable_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/format"
	"os"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

var update = flag.Bool("update", false, "write the tables of authmin anew")

const tableFile = "../../authmin/normalize_table.go"

// TestTableIsWhatTheLibrarySays fails when the table in authmin is not the one
// that the library of go.mod gives: run it with -update then.
func TestTableIsWhatTheLibrarySays(t *testing.T) {
	want, err := format.Source(table())
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile(tableFile, want, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(tableFile)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, want) {
		t.Errorf("%s is not what golang.org/x/text gives; run go test ./integration/unicodetable -update", tableFile)
	}
}

// table is the source file of the three tables.
func table() []byte {
	var decompositions, classes, compositions strings.Builder
	for r := rune(0); r <= utf8.MaxRune; r++ {
		if !utf8.ValidRune(r) || isHangul(r) {
			continue
		}
		if whole := norm.NFKD.String(string(r)); whole != string(r) {
			decompositions.WriteString(string(r) + whole + "\n")
		}
		if a, b, ok := pair(r); ok {
			compositions.WriteString(string([]rune{a, b, r}))
		}
	}
	for first := rune(0); first <= utf8.MaxRune; first++ {
		class := classOf(first)
		if class == 0 {
			continue
		}
		last := first
		for classOf(last+1) == class {
			last++
		}
		classes.WriteString(string([]rune{first, last, rune(class)}))
		first = last
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, `package authmin

// Generated from golang.org/x/text/unicode/norm by
// go test ./integration/unicodetable -update; not edited by hand.
// Long file: one table.

// Unicode %s, without Hangul syllables, which are computed.
const (
	// Records of a character and its full compatibility decomposition, each ended
	// by a newline.
	decompositionTable = %s

	// Records of three characters: the first and the last of a range, and the
	// combining class, not 0, of those between.
	classTable = %s

	// Records of three characters: the first two compose to the third.
	compositionTable = %s
)
`, norm.Version, literal(decompositions.String()), literal(classes.String()), literal(compositions.String()))
	return b.Bytes()
}

// classOf is the canonical combining class of a character, 0 beyond the last.
func classOf(r rune) uint8 {
	if !utf8.ValidRune(r) {
		return 0
	}
	return norm.NFD.PropertiesString(string(r)).CCC()
}

// pair is the two characters that compose to a character under NFC.
func pair(r rune) (first, second rune, ok bool) {
	canonical := norm.NFD.String(string(r))
	if utf8.RuneCountInString(canonical) < 2 || norm.NFC.String(canonical) != string(r) {
		return 0, 0, false
	}
	second, size := utf8.DecodeLastRuneInString(canonical)
	before := norm.NFC.String(canonical[:len(canonical)-size])
	first, size = utf8.DecodeRuneInString(before)
	return first, second, size == len(before)
}

func isHangul(r rune) bool { return r >= 0xac00 && r < 0xac00+11172 }

// literal quotes a text over several lines, in ASCII.
func literal(text string) string {
	const width = 160 // bytes of the source, about
	var b strings.Builder
	b.WriteString(`""`)
	for text != "" {
		line := `"`
		for text != "" && len(line) < width {
			r, size := utf8.DecodeRuneInString(text)
			quoted := strconv.QuoteToASCII(string(r))
			line, text = line+quoted[1:len(quoted)-1], text[size:]
		}
		b.WriteString(" +\n" + line + `"`)
	}
	return b.String()
}
