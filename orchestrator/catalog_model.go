package orchestrator

import (
	"slices"

	"github.com/llorch/gateway/poolmanager/modelref"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// MaxModels bounds the catalog; with maxModelRecord they fill half the bucket.
	MaxModels      = 4096
	maxModelRecord = 16 << 10
	// maxAliases bounds the other names of one model.
	maxAliases = 32
	// maxFallbacks bounds the models that one model falls back to.
	maxFallbacks = 8
)

// The catalog's record is what nodes read: its types are those of the wire.
type (
	// ModelState says whether a model takes new tasks.
	ModelState = nodeapi.ModelState
	// ModelRequest enters a model into the catalog.
	ModelRequest = nodeapi.ModelRequest
	// Model is a model of the catalog.
	Model = nodeapi.Model
	// VerificationStatus says what is known of a model's bytes.
	VerificationStatus = nodeapi.VerificationStatus
	// Verification is what the last check found.
	Verification = nodeapi.Verification
)

// The states of a model in the catalog.
const (
	ModelActive  = nodeapi.ModelActive
	ModelRetired = nodeapi.ModelRetired
)

// The statuses of a verification.
const (
	Unverified  = nodeapi.Unverified
	Verifying   = nodeapi.Verifying
	Verified    = nodeapi.Verified
	NotVerified = nodeapi.NotVerified
)

// checkModel refuses what cannot be a catalog entry.
func checkModel(r ModelRequest) error {
	switch {
	case !modelref.ValidID(r.ID):
		return fail(Invalid, "INVALID_MODEL", "id is 1 to 128 of A-Z a-z 0-9 . _ : @ + - and begins with a letter or digit")
	case !modelref.ValidDigest(r.Digest):
		return fail(Invalid, "INVALID_MODEL", "digest is sha256: and 64 lower-case hexadecimal digits")
	}
	if len(r.Aliases) > maxAliases {
		return fail(Invalid, "INVALID_MODEL", "at most %d aliases", maxAliases)
	}
	for _, name := range append([]string{r.ID}, r.Aliases...) {
		if prefixed(name) {
			return fail(Invalid, "INVALID_MODEL", "an id or an alias does not begin with catalog: or file:, which say where a model is")
		}
	}
	for i, alias := range r.Aliases {
		if !modelref.ValidID(alias) || alias == r.ID || slices.Contains(r.Aliases[:i], alias) {
			return fail(Invalid, "INVALID_MODEL", "an alias is written like an id, and is neither the id nor given twice")
		}
	}
	if err := checkFallback(r); err != nil {
		return err
	}
	return checkSource(r.SourceURL)
}

// checkSource refuses what cannot be a source anywhere. Whether this source may
// be read is decided by the operator's settings when it is read.
func checkSource(source string) error {
	if _, err := modelref.ParseSource(source); err != nil {
		return fail(Invalid, "INVALID_SOURCE", "%v", err)
	}
	return nil
}
