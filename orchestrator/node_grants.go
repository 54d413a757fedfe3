package orchestrator

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// ModelGrants says which models an identity's nodes may offer (node_models): by
// identity, names of models, in which * stands for any characters. An identity that
// is named offers nothing else, and what is given to some identities is offered by
// no others. Without grants every node may offer every model.
type ModelGrants map[string][]string

const (
	maxGrants        = 1024 // identities; as many as there can be nodes
	maxGrantPatterns = 256  // of one identity; as many as a pool may hold models
)

// Check refuses grants that are too many, or that name nothing.
func (g ModelGrants) Check() error {
	if len(g) > maxGrants {
		return fmt.Errorf("more than %d identities", maxGrants)
	}
	for _, identity := range slices.Sorted(maps.Keys(g)) {
		patterns := g[identity]
		switch {
		case identity == "" || strings.TrimSpace(identity) != identity:
			return errors.New("an identity is empty or has blanks around it")
		case len(patterns) > maxGrantPatterns:
			return fmt.Errorf("identity %q has more than %d models", identity, maxGrantPatterns)
		}
		for _, pattern := range patterns {
			if pattern == "" || strings.TrimSpace(pattern) != pattern || !legible(pattern, maxModelName) {
				return fmt.Errorf("a model of identity %q is empty, has blanks around it, or is over %d bytes", identity, maxModelName)
			}
		}
	}
	return nil
}

// allows reports whether nodes of the identity may offer the model.
func (g ModelGrants) allows(identity, model string) bool {
	if patterns, named := g[identity]; named {
		return grants(patterns, model)
	}
	for _, patterns := range g {
		if grants(patterns, model) {
			return false
		}
	}
	return true
}

// tellWithheld logs, once for a registration, which models of a node tasks do not
// get there.
func (ns *nodes) tellWithheld(ctx context.Context, nodeID, identity string, pools []nodeapi.Pool) {
	var withheld []string
	for _, p := range pools {
		for _, m := range append(slices.Clone(p.Models), p.ModelRef) {
			if !ns.grants.allows(identity, m) {
				withheld = append(withheld, m)
			}
		}
	}
	if withheld = sortedSet(withheld); len(withheld) > 0 {
		ns.log.WarnContext(ctx, "models withheld: node_models does not grant them to the node's identity",
			"node_id", nodeID, "identity", identity, "models", listed(withheld))
	}
}

func grants(patterns []string, model string) bool {
	return slices.ContainsFunc(patterns, func(p string) bool { return matches(untagged(plainName(p)), untagged(plainName(model))) })
}

// matches compares a name with a pattern in which * stands for any characters.
func matches(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	first, last := parts[0], parts[len(parts)-1]
	if !strings.HasPrefix(name, first) || len(name) < len(first)+len(last) || !strings.HasSuffix(name, last) {
		return false
	}
	rest := name[len(first) : len(name)-len(last)]
	for _, part := range parts[1 : len(parts)-1] {
		at := strings.Index(rest, part)
		if at < 0 {
			return false
		}
		rest = rest[at+len(part):]
	}
	return true
}
