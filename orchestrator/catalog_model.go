package orchestrator

import (
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/poolmanager/modelref"
)

const (
	// MaxModels bounds the catalog; with maxModelRecord they fill half the bucket.
	MaxModels      = 4096
	maxModelRecord = 16 << 10
	// maxAliases bounds the other names of one model.
	maxAliases = 32
)

// ModelState says whether a model takes new tasks.
type ModelState string

// The states of a model in the catalog.
const (
	ModelActive  ModelState = "Active"
	ModelRetired ModelState = "Retired"
)

// ModelRequest enters a model into the catalog.
type ModelRequest struct {
	ID          string   `json:"id" pattern:"^[A-Za-z0-9][A-Za-z0-9._:@+-]{0,127}$" doc:"What tasks call it"`
	Digest      string   `json:"digest" pattern:"^sha256:[0-9a-f]{64}$"`
	SourceURL   string   `json:"source_url" maxLength:"2048" doc:"file:NAME below the operator's model_root, or https://"`
	Aliases     []string `json:"aliases,omitempty" maxItems:"32" doc:"What tasks may call it as well"`
	Tags        []string `json:"tags,omitempty" maxItems:"32"`
	Manifests   []string `json:"manifests,omitempty" maxItems:"32"`
	Signatures  []string `json:"signatures,omitempty" maxItems:"32"`
	SBOM        string   `json:"sbom,omitempty"`
	TrustPolicy string   `json:"trust_policy,omitempty" maxLength:"256" doc:"digest (the default) is the only one that can be verified"`
}

// Model is a model of the catalog.
type Model struct {
	ModelRequest
	State        ModelState   `json:"state" enum:"Active,Retired"`
	RetiredFrom  *time.Time   `json:"retired_from,omitempty" doc:"When it takes no new tasks any more"`
	Verification Verification `json:"verification"`
	CreatedBy    string       `json:"created_by"`
	CreatedAt    time.Time    `json:"created_at"`
}

// VerificationStatus says what is known of a model's bytes.
type VerificationStatus string

// The statuses. Verified means that every byte was read and hashed.
const (
	Unverified  VerificationStatus = "unverified"
	Verifying   VerificationStatus = "verifying"
	Verified    VerificationStatus = "verified"
	NotVerified VerificationStatus = "failed"
)

// Verification is the result of the last check. It holds for the bytes at the source
// at that time only.
type Verification struct {
	Status    VerificationStatus `json:"status" enum:"unverified,verifying,verified,failed"`
	Reason    string             `json:"reason,omitempty" doc:"Why it failed"`
	ReadBytes int64              `json:"read_bytes"`
	CheckedAt *time.Time         `json:"checked_at,omitempty"`
}

// takesTasks reports whether new tasks may name the model.
func (m Model) takesTasks(now time.Time) bool {
	return m.State == ModelActive || m.RetiredFrom != nil && now.Before(*m.RetiredFrom)
}

func (r ModelRequest) check() error {
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
	return checkSource(r.SourceURL)
}

// checkSource refuses what cannot be a source anywhere. Whether this source may
// be read is decided by the operator's settings when it is read.
func checkSource(source string) error {
	if len(source) > modelref.MaxSource {
		return fail(Invalid, "INVALID_SOURCE", "source_url is longer than %d bytes", modelref.MaxSource)
	}
	if kind, name := modelref.Split(source); kind == modelref.File {
		if !filepath.IsLocal(name) || strings.ContainsAny(name, "\\\x00") || filepath.Clean(name) != name || name == "." {
			return fail(Invalid, "INVALID_SOURCE", "after file: comes a relative path below model_root, without . or ..")
		}
		return nil
	}
	u, err := url.Parse(source)
	if err != nil || u.Scheme != "https" || u.Hostname() == "" {
		return fail(Invalid, "INVALID_SOURCE", "source_url is file:NAME or an https URL")
	}
	if u.User != nil || u.RawQuery != "" || u.ForceQuery || u.Fragment != "" {
		return fail(Invalid, "INVALID_SOURCE", "a source has no user, query or fragment: it is shown and logged")
	}
	return nil
}
