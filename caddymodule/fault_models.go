package caddymodule

import (
	"encoding/json"
	"slices"
	"strings"

	"github.com/llorch/gateway/authmin"
)

func init() {
	faultChecks = append(faultChecks, modelsUnsent)
}

// modelsUnsent finds handlers that delete what an upstream needs to check the models of a
// token: the list, the identity that it belongs to, or the credential beside which both are
// believed. The upstream would refuse every request of a guard with `models_at upstream`.
func modelsUnsent(in *inspection) (faults []Fault) {
	for _, h := range in.handlers {
		if !slices.ContainsFunc(h.before.guards, leavesModels) {
			continue
		}
		for _, w := range h.writes() {
			if w.response || !w.deletes {
				continue
			}
			for _, name := range []string{authmin.HeaderModels, authmin.HeaderIdentity, "Authorization"} {
				if deletesField(strings.ToLower(w.name), name) {
					faults = append(faults, faultf(refused, h.server,
						"%s deletes %s after a guard with models_at upstream: the upstream cannot check the models without it, and refuses every request; remove it, or remove models_at", h.directive(), name))
					break
				}
			}
		}
	}
	return faults
}

// leavesModels reports whether a guard leaves the check of the models to the upstream.
func leavesModels(guard string) bool {
	var g Guard
	return json.Unmarshal([]byte(guard), &g) == nil && g.ModelsAt == ModelsAtUpstream
}
