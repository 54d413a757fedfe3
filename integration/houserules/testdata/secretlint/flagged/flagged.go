// Package flagged compares secrets in every wrong way. The lint must flag each
// line that ends in the word want.
package flagged

import (
	"bytes"
	"cmp"
	"crypto/subtle"
	"maps"
	"reflect"
	"slices"
	"strings"
	"sync"

	"github.com/llorch/gateway/authmin"
)

type client struct {
	name     string
	apiToken string
	Secret   authmin.Secret
	known    map[string]bool
	header   string
}

type entry struct {
	name   string
	secret authmin.Secret
}

type store map[authmin.Secret]string // want

func byType(a, b authmin.Secret, c, d entry) bool {
	if a == b { // want
		return true
	}
	if c == d { // want
		return true
	}
	if a.Digest() != b.Digest() { // want
		return true
	}
	byDigest := map[authmin.Digest]int{} // want
	byDigest[a.Digest()]++               // want
	return reflect.DeepEqual(a, b)       // want
}

func byReveal(s authmin.Secret, given string, list []string) bool {
	text := s.Reveal()
	if text == given { // want
		return true
	}
	line := "Bearer " + text
	if given != line { // want
		return true
	}
	if strings.TrimSpace(line)[:4] == given { // want
		return true
	}
	raw := []byte(text)
	if bytes.Equal(raw, []byte(given)) { // want
		return true
	}
	switch text {
	case "": // asks only whether there is one
	case given: // want
		return true
	}
	switch given {
	case text: // want
	}
	return slices.Contains(list, text) || // want
		strings.HasPrefix(text, given) // want
}

func byName(apiKey, password, given string, mac []byte, digest, other [32]byte, tokens []string) bool {
	if apiKey == given { // want
		return true
	}
	if given < password { // want
		return true
	}
	if digest == other { // want
		return true
	}
	for i, candidate := range tokens {
		if candidate == given { // want
			return true
		}
		if tokens[i] == given { // want
			return true
		}
	}
	if bytes.HasPrefix(mac, other[:4]) { // want
		return true
	}
	return strings.EqualFold(apiKey, given) || // want
		strings.ContainsAny(apiKey, given) || // want
		strings.Compare(password, given) == 0 || // want
		cmp.Compare(password, given) == 0 || // want
		subtle.ConstantTimeCompare([]byte(apiKey), []byte(given)) == 1 // want
}

func byByte(a authmin.Secret, given string) bool {
	text := a.Reveal()
	for i := range len(text) {
		if text[i] != given[i] { // want
			return false
		}
	}
	return true
}

func byKey(c *client, m *sync.Map, token string) bool {
	if c.known[token] { // want
		return true
	}
	c.known[c.apiToken] = true // want
	delete(c.known, token)     // want
	m.Store(token, c)          // want
	both := map[string]bool{
		token: true, // want
	}
	return maps.Equal(c.known, both)
}

// What is secret stays so through fields, functions and parameters.
func (c *client) line() string { return "Bearer " + c.Secret.Reveal() }

func throughFunctions(c *client, given string) bool {
	c.header = c.line()
	if c.header == given { // want
		return true
	}
	return c.line() == given || // want
		same(c.Secret.Reveal(), given)
}

func same(a, b string) bool {
	return a == b // want
}
