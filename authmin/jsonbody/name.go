package jsonbody

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// foldRune returns one rune for all that some reader of JSON may take for the
// same: the smallest of the runes that simple case folding makes equal, as
// encoding/json does (so U+212A KELVIN SIGN is K, and U+017F LONG S is S).
// Readers that map to lower or upper case instead also take U+0130 (capital I
// with dot) and U+0131 (small i without dot) for I.
func foldRune(r rune) rune {
	if r < utf8.RuneSelf {
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}
	if r == '\u0130' || r == '\u0131' {
		return 'I'
	}
	for {
		next := unicode.SimpleFold(r)
		if next <= r {
			return next
		}
		r = next
	}
}

// fold returns the name with every rune folded.
func fold(name string) string { return strings.Map(foldRune, name) }

// foldsTo reports whether the unescaped name folds to a folded name.
func foldsTo(name []byte, folded string) bool {
	for len(name) > 0 && folded != "" {
		r, n := rune(name[0]), 1
		if r >= utf8.RuneSelf {
			r, n = utf8.DecodeRune(name)
		}
		want, m := rune(folded[0]), 1
		if want >= utf8.RuneSelf {
			want, m = utf8.DecodeRuneInString(folded)
		}
		if foldRune(r) != want {
			return false
		}
		name, folded = name[n:], folded[m:]
	}
	return len(name) == 0 && folded == ""
}

// lower returns the first byte of a name with the bit set that makes it a small
// letter. Names of which both are ASCII, and differ, are not equal.
func lower[T string | []byte](name T) byte {
	if len(name) == 0 {
		return 0
	}
	return name[0] | 0x20
}

// A node is a member on a watched path. The node of index 0 is the top-level
// object.
type node struct {
	name, folded string
	first        byte // lower(folded)
	path         string
	children     []int
	watched      bool
	capture
}

// none is the index of no node.
const none = -1

// watch builds the nodes of the paths, and the number of bytes after which a
// member name cannot fold to a watched one: folding keeps the number of runes,
// not that of bytes.
func watch(paths []string) (nodes []node, longest int) {
	nodes, longest = []node{{}}, 1 // none at all would let every name look empty
	for _, path := range paths {
		at, end := 0, 0
		for name := range strings.SplitSeq(path, ".") {
			end += len(name)
			at, nodes = child(nodes, at, name, path[:end])
			end++ // the dot
			longest = max(longest, utf8.UTFMax*utf8.RuneCountInString(name))
		}
		nodes[at].watched = true
	}
	return nodes, longest
}

// child returns the index of the named child of a node, which it adds if need be.
func child(nodes []node, parent int, name, path string) (int, []node) {
	for _, c := range nodes[parent].children {
		if nodes[c].name == name {
			return c, nodes
		}
	}
	c := len(nodes)
	n := node{name: name, folded: fold(name), path: path}
	n.first = lower(n.folded)
	nodes = append(nodes, n)
	nodes[parent].children = append(nodes[parent].children, c)
	return c, nodes
}

// match returns the child of an object's node that has the name, or none. It is
// an error if the name was there already, or folds to a watched one only.
func (s *Scanner) match(parent int, name []byte) (int, error) {
	found, folds, first := none, none, lower(name)
	for _, c := range s.nodes[parent].children {
		n := &s.nodes[c]
		if first != n.first && first < utf8.RuneSelf {
			continue
		}
		exact := string(name) == n.name
		if !exact && !foldsTo(name, n.folded) {
			continue
		}
		if n.seen {
			return none, &Error{Code: Ambiguous, Path: n.path, Offset: s.textAt, reason: "occurs twice"}
		}
		folds = c
		if exact {
			found = c
		}
	}
	if found == none && folds != none {
		return none, &Error{Code: Ambiguous, Path: s.nodes[folds].path, Offset: s.textAt,
			reason: "must be spelled exactly so, upper and lower case included"}
	}
	if found != none {
		s.nodes[found].seen = true
	}
	return found, nil
}

// Folds reports whether a reader that ignores case may take a name for the wanted one, by
// the rules of [Options.Watch].
func Folds(name, wanted string) bool { return fold(name) == fold(wanted) }
