package orchestrator

import (
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/modelref"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// Names of models are resolved here and nowhere else. A catalog entry is what tasks
// call it: its id, catalog:ID, or one of its aliases. Nodes report catalog:ID, the
// name of a file, or what their engine calls its models; a dispatch names a model as
// the pool that it goes to does.

// maxModelName bounds the name of a model, in bytes, as the API does.
const maxModelName = 256

// plainName is a model's name without what says where its bytes come from: nodes
// call a model of the catalog catalog:ID, tasks call it ID or catalog:ID.
func plainName(ref string) string {
	if kind, id := modelref.Split(ref); kind == modelref.Catalog {
		return id
	}
	return ref
}

// prefixed reports whether a name begins with a word that says where a model is. No
// entry of the catalog is called so: a task that names catalog:ID means ID, and a pool
// that reports file:NAME has a file that the catalog did not check.
func prefixed(name string) bool {
	kind, _ := modelref.Split(name)
	return kind != modelref.Named
}

// latestTag is what Ollama takes for the tag of a name without one.
const latestTag = ":latest"

// untagged is a name under which Ollama's NAME and NAME:latest are one.
func untagged(name string) string { return strings.TrimSuffix(name, latestTag) }

// ollama is the engine at which a name without a tag means its :latest.
const ollama = "ollama"

// tagged is a name as Ollama lists it: with a tag, after the last part of its path.
func tagged(name string) string {
	if strings.Contains(name[strings.LastIndexByte(name, '/')+1:], ":") {
		return name
	}
	return name + latestTag
}

// tags reports whether the pool takes a name without a tag for its :latest: Ollama, and
// what speaks its protocol.
func (c Candidate) tags() bool {
	return c.Engine == ollama || slices.Contains(c.Protocols, nodeapi.Ollama)
}

// resolve gives the name under which pools are searched for a model: the id of the
// catalog's entry that a caller's name or alias means, or else the plain name.
func (c *catalog) resolve(ref string) string {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.resolveLocked(ref)
}

// resolveLocked is resolve with mu held.
func (c *catalog) resolveLocked(ref string) string {
	name := plainName(ref)
	if _, known := c.models[name]; known {
		return name
	}
	if id, known := c.aliases[name]; known {
		return id
	}
	return c.otherSpelling(name)
}

// otherSpelling gives the catalog's entry of which Ollama's pools take the name for
// another spelling, so that none is reached past its entry: with the tag, or without it.
// mu is held.
func (c *catalog) otherSpelling(name string) string {
	other := name + latestTag
	if bare, cut := strings.CutSuffix(name, latestTag); cut {
		other = bare
	}
	if _, known := c.models[other]; known {
		return other
	}
	if id, known := c.aliases[other]; known {
		return id
	}
	return name
}

// ownName is what a pool calls the model that was resolved to this name; false if it
// does not have it.
func (c Candidate) ownName(model string) (string, bool) {
	if slices.Contains(c.Models, model) {
		return model, true
	}
	for _, own := range c.Models {
		if c.means(own, model) {
			return own, true
		}
	}
	return "", false
}

// means reports whether a pool's own name is one of the model that was resolved to this
// name.
func (c Candidate) means(own, model string) bool {
	plain := plainName(own)
	return plain == model || c.tags() && untagged(plain) == untagged(model)
}

// context is how many tokens the model has room for there; 0 if the pool does not tell. A pool may have
// the model under several names and tell it of one: an Ollama pool that was asked to load
// tiny lists tiny:latest.
func (c Candidate) context(model string) (least int64) {
	for own, tokens := range c.Contexts {
		if tokens > 0 && (least == 0 || tokens < least) && c.means(own, model) {
			least = tokens
		}
	}
	return least
}

// holds reports whether the pool has the model that was resolved to this name.
func (c Candidate) holds(model string) bool {
	_, has := c.ownName(model)
	return has
}

// aliasesByID gives the aliases of each model.
func (c *catalog) aliasesByID() map[string][]string {
	all := map[string][]string{}
	for _, m := range c.all() {
		all[m.ID] = m.Aliases
	}
	return all
}

// namesFor gives the names of a pool's model in a list of models: its plain name and its
// aliases, without retired names and those that allowed does not have.
func (c *catalog) namesFor(own string, aliases []string, allowed *authmin.Models) (names []string) {
	for _, name := range append([]string{plainName(own)}, aliases...) {
		if name != "" && !c.retired(name) && c.allows(allowed, name) {
			names = append(names, name)
		}
	}
	return names
}
