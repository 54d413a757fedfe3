package caddymodule

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// methodNames are the methods that the words of a rule are compared with.
var methodNames = []string{http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete, http.MethodOptions}

// CommonMethods returns the methods that rules commonly name.
func CommonMethods() []string { return slices.Clone(methodNames) }

// misreadRule finds words of a rule that would be parsed as something else than intended,
// such as a path as methods. Its errors name the fix.
func misreadRule(action string, args []string) error {
	for i, word := range args {
		if err := misreadWord(word, i == 0 && !strings.HasPrefix(word, "/")); err != nil {
			return err
		}
		if i == 0 && !strings.HasPrefix(word, "/") && action == "require" && !slices.Contains(methodNames, strings.ToUpper(word)) && word == strings.ToLower(word) {
			return fmt.Errorf("%q is not a method; several scopes are one word: `require infer,nodes /path`", word)
		}
		if i > 0 && slices.Contains(methodNames, strings.ToUpper(word)) {
			return errors.New("several methods are one word, before the paths: `GET,POST /path`")
		}
	}
	return nil
}

// misreadWord checks one word. The first may be methods.
func misreadWord(word string, first bool) error {
	switch {
	case strings.Contains(word, "{args["):
		return fmt.Errorf("%s has no value: the import of this snippet passes too few arguments", word)
	case strings.Contains(word, "{"):
		return fmt.Errorf("path %q: a rule is fixed when the gateway starts, so that placeholders are not replaced; write the path itself, or {$NAME}, which is replaced when the file is read", word)
	case strings.Contains(word, "://"):
		return fmt.Errorf("%q: write the path alone, such as /v1/*; the host is the site's", word)
	case strings.Contains(word, ",/"):
		return fmt.Errorf("%q: paths are separated by spaces, not by commas", word)
	case strings.HasSuffix(word, "*") && strings.HasPrefix(word, "/") && !strings.HasSuffix(word, "/*") && strings.Count(word, "*") == 1:
		return fmt.Errorf("path %q: * is allowed only after a slash; write %s/* for the paths below %s", word, strings.TrimSuffix(word, "*"), strings.TrimSuffix(word, "*"))
	case !first:
		return nil
	case strings.ContainsAny(word, "/*"):
		return fmt.Errorf("path %q does not begin with a slash; write /%s", word, word)
	case strings.HasSuffix(word, ","):
		return errors.New("several methods are one word, with commas and without spaces: GET,POST")
	case slices.Contains(methodNames, strings.ToUpper(word)) && word != strings.ToUpper(word):
		return fmt.Errorf("%q is not a method: methods are upper case; write %s", word, strings.ToUpper(word))
	}
	return nil
}
