package authmin

import (
	"slices"
	"strings"
	"sync"
	"unicode/utf8"
)

// Hangul syllables compose and decompose by arithmetic (The Unicode Standard,
// §3.12).
const (
	hangulBase  = 0xac00
	hangulL     = 0x1100
	hangulV     = 0x1161
	hangulT     = 0x11a7 // one before the first final consonant
	hangulVs    = 21
	hangulTs    = 28
	hangulCount = 19 * hangulVs * hangulTs
)

// normalTables are the generated tables as maps: some 600 KiB, built at the first
// path that is not ASCII.
type normalTables struct {
	decomposed map[rune]string
	class      map[rune]uint8
	composed   map[[2]rune]rune
}

var normalization = sync.OnceValue(func() *normalTables {
	t := &normalTables{decomposed: map[rune]string{}, class: map[rune]uint8{}, composed: map[[2]rune]rune{}}
	for record := range strings.SplitSeq(strings.TrimSuffix(decompositionTable, "\n"), "\n") {
		r, size := utf8.DecodeRuneInString(record)
		t.decomposed[r] = record[size:]
	}
	for record := range slices.Chunk([]rune(classTable), 3) {
		for r := record[0]; r <= record[1]; r++ {
			t.class[r] = uint8(record[2])
		}
	}
	for record := range slices.Chunk([]rune(compositionTable), 3) {
		t.composed[[2]rune{record[0], record[1]}] = record[2]
	}
	return t
})

// nfkc is Normalization Form KC of a text (Unicode Standard Annex #15). An ASCII
// text is its own.
func nfkc(text string) string {
	if isASCII(text) {
		return text
	}
	t := normalization()
	return string(t.compose(t.decompose(text)))
}

// decompose is the full compatibility decomposition, in canonical order.
func (t *normalTables) decompose(text string) []rune {
	runes := make([]rune, 0, len(text))
	for _, r := range text {
		if s := r - hangulBase; s >= 0 && s < hangulCount {
			runes = append(runes, hangulL+s/(hangulVs*hangulTs), hangulV+s/hangulTs%hangulVs)
			if s%hangulTs > 0 {
				runes = append(runes, hangulT+s%hangulTs)
			}
			continue
		}
		if whole, ok := t.decomposed[r]; ok {
			runes = append(runes, []rune(whole)...)
			continue
		}
		runes = append(runes, r)
	}
	for start := 0; start < len(runes); {
		end := start
		for end < len(runes) && t.class[runes[end]] > 0 {
			end++
		}
		slices.SortStableFunc(runes[start:end], func(a, b rune) int { return int(t.class[a]) - int(t.class[b]) })
		start = end + 1
	}
	return runes
}

// compose replaces each starter and what composes with it, in place.
func (t *normalTables) compose(runes []rune) []rune {
	out := runes[:0]
	starter := -1    // index in out, -1 before the first
	last := uint8(0) // the class of what stands last in out
	for _, r := range runes {
		class := t.class[r]
		blocked := starter >= 0 && len(out)-1 > starter && (last == 0 || last >= class)
		if starter >= 0 && !blocked {
			if whole, ok := t.pair(out[starter], r); ok {
				out[starter] = whole
				continue
			}
		}
		if class == 0 {
			starter = len(out)
		}
		out, last = append(out, r), class
	}
	return out
}

// pair is the character that two compose to.
func (t *normalTables) pair(a, b rune) (rune, bool) {
	if l, v := a-hangulL, b-hangulV; l >= 0 && l < hangulCount/hangulVs/hangulTs && v >= 0 && v < hangulVs {
		return hangulBase + (l*hangulVs+v)*hangulTs, true
	}
	if s, final := a-hangulBase, b-hangulT; s >= 0 && s < hangulCount && s%hangulTs == 0 && final > 0 && final < hangulTs {
		return a + final, true
	}
	whole, ok := t.composed[[2]rune{a, b}]
	return whole, ok
}

func isASCII(text string) bool {
	for i := range len(text) {
		if text[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}
