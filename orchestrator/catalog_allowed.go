package orchestrator

import (
	"slices"

	"github.com/llorch/gateway/authmin"
)

// allows reports whether a list has the model that a caller's name means: under that name,
// or under the id or an alias of its entry. So an alias in a list grants its model, under
// each of its names. catalog:ID is ID: a pattern stands for no prefix, unless it has it
// letter by letter.
func (c *catalog) allows(list *authmin.Models, ref string) bool {
	if list == nil || list.Allow(plainName(ref)) || slices.Contains(list.Patterns(), ref) {
		return true
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.grants(list, c.resolveLocked(ref))
}

// grants reports whether a list has the id or an alias of an entry, or the name of a model
// without one. A name that means another entry grants nothing. mu is held.
func (c *catalog) grants(list *authmin.Models, id string) bool {
	if list.Allow(id) {
		return true
	}
	entry := c.models[id]
	return entry != nil && slices.ContainsFunc(entry.value.Aliases, func(alias string) bool {
		return c.aliases[alias] == id && list.Allow(alias)
	})
}

// modelNotAllowed is the answer to a request for a model that its identity may not use. It
// is the same whether there is such a model or not.
func modelNotAllowed(list *authmin.Models) *Error {
	e := fail(Forbidden, authmin.ProblemModel.Code, "%s", authmin.ModelNotAllowed(list).Message)
	e.Models, e.Member = list, authmin.ProblemModel.Param
	return e
}
