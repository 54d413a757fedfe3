package houserules_test

import (
	"go/types"
	"slices"
	"strings"
	"unicode"
)

const authminPath = "github.com/llorch/gateway/authmin"

// secretWords make a name the name of a secret: apiToken, secrets, dispatch_mac.
var secretWords = []string{"token", "secret", "digest", "mac", "apikey", "password", "passphrase", "bearer"}

// contentPackages are those in which a digest is one of content, such as a
// model file's: what hashes tokens is authmin, whose Digest is recognized by its type.
var contentPackages = []string{"github.com/llorch/gateway/orchestrator", "github.com/llorch/gateway/poolmanager"}

// aboutWords, at the end of a name, say that it is about a secret and not one:
// tokenName, secretFile, tokenEnv.
var aboutWords = []string{
	"name", "names", "file", "files", "path", "paths", "dir", "env", "source", "sources", "kind", "type",
	"count", "limit", "scheme", "scope", "scopes", "state", "status", "fingerprint", "endpoint", "url", "word", "words",
}

// isSecretType finds authmin.Secret and authmin.Digest, and whatever holds one
// by value, so that comparing it compares the secret.
func isSecretType(t types.Type) bool { return holdsSecret(t, 0) }

// maxDepth bounds the walk into a type; types refer to themselves only by way
// of pointers, slices and maps, which the walk does not follow.
const maxDepth = 16

func holdsSecret(t types.Type, depth int) bool {
	if t == nil || depth > maxDepth {
		return false
	}
	if named, ok := types.Unalias(t).(*types.Named); ok {
		obj := named.Obj()
		if obj.Pkg() != nil && obj.Pkg().Path() == authminPath && (obj.Name() == "Secret" || obj.Name() == "Digest") {
			return true
		}
	}
	switch u := t.Underlying().(type) {
	case *types.Array:
		return holdsSecret(u.Elem(), depth+1)
	case *types.Struct:
		for field := range u.Fields() {
			if holdsSecret(field.Type(), depth+1) {
				return true
			}
		}
	}
	return false
}

// isSecretName judges a variable, field or function by its name. Constants are
// in the source and so no secrets.
func isSecretName(obj types.Object) bool {
	words := wordsOf(obj.Name())
	if obj.Pkg() != nil && slices.ContainsFunc(contentPackages, func(p string) bool { return strings.HasPrefix(obj.Pkg().Path(), p) }) {
		words = slices.DeleteFunc(words, func(w string) bool { return w == "digest" })
	}
	switch obj := obj.(type) {
	case *types.Var:
		return isText(obj.Type()) && areSecret(words)
	case *types.Func:
		results := obj.Signature().Results()
		return results.Len() > 0 && isText(results.At(0).Type()) && areSecret(words)
	}
	return false
}

func areSecret(words []string) bool {
	if len(words) == 0 || slices.Contains(aboutWords, words[len(words)-1]) {
		return false
	}
	for i, word := range words {
		if slices.Contains(secretWords, strings.TrimSuffix(word, "s")) {
			return true
		}
		if word == "api" && i+1 < len(words) && strings.TrimSuffix(words[i+1], "s") == "key" {
			return true
		}
	}
	return false
}

// wordsOf splits camelCase, ALLCaps and snake_case into lower-case words.
func wordsOf(name string) []string {
	var words []string
	var word []rune
	runes := []rune(name)
	end := func() {
		if len(word) > 0 {
			words = append(words, strings.ToLower(string(word)))
			word = nil
		}
	}
	for i, r := range runes {
		lowerBefore := i > 0 && !unicode.IsUpper(runes[i-1])
		lowerAfter := i+1 < len(runes) && unicode.IsLower(runes[i+1])
		switch {
		case !unicode.IsLetter(r):
			end()
			continue
		case unicode.IsUpper(r) && (lowerBefore || lowerAfter):
			end()
		}
		word = append(word, r)
	}
	end()
	return words
}

// isText is what a secret can be spelled in: a string, bytes, an array of
// bytes, or a list of those.
func isText(t types.Type) bool {
	switch u := t.Underlying().(type) {
	case *types.Basic:
		return u.Info()&types.IsString != 0
	case *types.Slice:
		return isByte(u.Elem()) || isText(u.Elem())
	case *types.Array:
		return isByte(u.Elem())
	case *types.Pointer:
		return isText(u.Elem())
	}
	return false
}

func isByte(t types.Type) bool {
	b, ok := t.Underlying().(*types.Basic)
	return ok && (b.Kind() == types.Byte || b.Kind() == types.Rune)
}
