package cli

import (
	"net/http"
	"slices"

	"github.com/llorch/gateway/authmin"
)

// isPreflight reports whether the question is a browser's, to a guard that answers it.
func (a *explanation) isPreflight() bool {
	return a.question.method == http.MethodOptions && a.question.origin != "" && len(a.guard.CORS) > 0
}

// page says what the page of a question's origin gets of the answer, "" without one.
func (a *explanation) page() string {
	origin := authmin.CleanText(a.question.origin, authmin.MaxLoggedHost)
	switch {
	case origin == "":
		return ""
	case a.guard.Shadow || len(a.guard.CORS) == 0:
		return "the upstream decides what a page of " + origin + " can read"
	case slices.Contains(a.guard.CORS, a.question.origin):
		return "a page of " + origin + " can read the answer, by cors"
	}
	return "a page of " + origin + " can read nothing: cors does not name it"
}
