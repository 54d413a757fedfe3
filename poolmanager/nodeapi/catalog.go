package nodeapi

import "time"

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
	Fallback    []string `json:"fallback,omitempty" maxItems:"8" doc:"Models that run its tasks while it cannot, the first choice first"`
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

// TakesTasks reports whether new tasks may name the model.
func (m Model) TakesTasks(now time.Time) bool {
	return m.State == ModelActive || m.RetiredFrom != nil && now.Before(*m.RetiredFrom)
}
