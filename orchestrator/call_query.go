package orchestrator

import (
	"slices"
	"strings"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// readQuery reads the query of a call, which goes to the engine as it is, and reports
// whether it asks for events. What is judged in the body may not be said there, too:
// an engine could take that one. A call without a body says stream in its query.
func readQuery(op nodeapi.Operation, text string) (stream bool, err error) {
	values, err := nodeapi.ParseQuery(text)
	if err != nil {
		return false, fail(Malformed, "INVALID_QUERY", "%s", err)
	}
	for name, all := range values {
		if nodeapi.NamesCredential(name) { // it would be in the logs of whatever is on the way
			return false, fail(Malformed, "INVALID_QUERY", "a parameter of the query is called a credential: an engine's key is never a client's to send, and yours belongs into a header")
		}
		path := strings.Join(nodeapi.MemberPath(name), ".")
		at := slices.IndexFunc(watched[op.Protocol], func(member string) bool { return strings.EqualFold(path, member) })
		if at < 0 {
			continue
		}
		member := watched[op.Protocol][at]
		if !op.HasObject() || member != "stream" {
			return false, fail(Malformed, "MEMBER_AMBIGUOUS", "the member %s belongs into the body, not into the query", member)
		}
		if name != member || len(all) > 1 {
			return false, fail(Malformed, "MEMBER_AMBIGUOUS", "write stream in the query once, and so spelled")
		}
		stream = isTrue(all[0])
	}
	return stream, nil
}

// isTrue reports whether a value of a query means true to an engine: these are what
// Pydantic takes for it, which vLLM and SGLang read queries with.
func isTrue(text string) bool {
	return slices.Contains([]string{"true", "1", "t", "yes", "y", "on"}, strings.ToLower(text))
}
