// Package flagged reads credentials by itself, in every way that the lint knows.
package flagged

import (
	"net/http"
	"regexp"
	"strings"
)

const field, scheme = "authorization", "Bearer "

var pattern = regexp.MustCompile(`(?i)^Bearer (.+)$`) // want

func read(r *http.Request) (all []string) {
	all = append(all, r.Header.Get("Authorization"))       // want
	all = append(all, r.Header.Values(field)...)           // want
	all = append(all, r.Header["Authorization"]...)        // want
	all = append(all, r.Header.Get("X-Api-Key"))           // want
	all = append(all, r.Header.Get("Proxy-Authorization")) // want
	if lines, ok := r.Header["Authorization"]; ok {        // want
		all = append(all, lines...)
	}
	return all
}

func parse(text string) string {
	if strings.HasPrefix(text, scheme) { // want
		return strings.TrimPrefix(text, "bearer ") // want
	}
	first, rest, _ := strings.Cut(text, " ")
	if strings.EqualFold(first, "bearer") || first == "Bearer" { // want
		return rest
	}
	switch first {
	case "BEARER": // want
		return rest
	}
	return pattern.FindString(text)
}
