package orchestrator

import (
	"slices"
	"strings"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// readQuery checks the query of a call, which goes to the engine unchanged, and reports
// whether it asks for a stream of events. A member that is checked in the body is refused in
// the query, since an engine might use that one. A call without a body has stream in its
// query.
func readQuery(op nodeapi.Operation, text string) (stream bool, err error) {
	values, err := nodeapi.ParseQuery(text)
	if err != nil {
		return false, fail(Malformed, "INVALID_QUERY", "%s", err)
	}
	for name, all := range values {
		if nodeapi.NamesCredential(name) { // proxies on the way may log it
			return false, fail(Malformed, "INVALID_QUERY", "a parameter of the query has the name of a credential: send your token in a header; the key of an engine is the operator's")
		}
		path := strings.Join(nodeapi.MemberPath(name), ".")
		at := slices.IndexFunc(watched[op.Protocol], func(member string) bool { return strings.EqualFold(path, member) })
		if at < 0 {
			continue
		}
		member := watched[op.Protocol][at]
		if !op.HasObject() || member != "stream" {
			return false, fail(Malformed, "MEMBER_AMBIGUOUS", "send the member %s in the body, not in the query", member)
		}
		if name != member || len(all) > 1 {
			return false, fail(Malformed, "MEMBER_AMBIGUOUS", "send stream in the query once, in lower case")
		}
		stream = isTrue(all[0])
	}
	return stream, nil
}

// isTrue reports whether an engine takes a value of a query for true. The values are
// Pydantic's, which vLLM and SGLang use to read queries.
func isTrue(text string) bool {
	return slices.Contains([]string{"true", "1", "t", "yes", "y", "on"}, strings.ToLower(text))
}
