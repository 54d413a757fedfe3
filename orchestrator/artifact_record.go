package orchestrator

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"regexp"
	"time"

	"github.com/llorch/gateway/orchestrator/store"
)

// ArtifactRequest is what a caller sends to be kept.
type ArtifactRequest struct {
	Kind     string            `json:"kind" enum:"plan,summary,diff,trace,transcript,logs,other"`
	Content  json.RawMessage   `json:"content" doc:"Any JSON value but null"`
	Tags     []string          `json:"tags,omitempty" maxItems:"32" doc:"At most 32"`
	Parent   string            `json:"parent,omitempty" pattern:"^[0-9a-f]{64}$" doc:"The id of another artifact of the caller's"`
	Metadata map[string]string `json:"metadata,omitempty" maxProperties:"64"`
}

// Artifact is what is kept. Its id is the lower-case hexadecimal SHA-256 of the
// content as canonical JSON: keys sorted, no white space, numbers as they were
// written, nothing escaped that need not be but U+2028 and U+2029.
type Artifact struct {
	ID        string    `json:"id"`
	Owner     string    `json:"owner"`
	CreatedAt time.Time `json:"created_at"`
	ArtifactRequest
}

var artifactID = regexp.MustCompile(`^[0-9a-f]{64}$`)

// canonical gives the one spelling of a JSON value.
func canonical(content []byte) ([]byte, error) {
	decoder := json.NewDecoder(bytes.NewReader(content))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil || value == nil {
		return nil, fail(Invalid, "INVALID_ARTIFACT", "content is a JSON value, and not null")
	}
	return encodePlain(value)
}

// encodePlain encodes without HTML escapes and without the line break.
func encodePlain(value any) ([]byte, error) {
	var buf bytes.Buffer
	encoder := json.NewEncoder(&buf)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(value); err != nil {
		return nil, fmt.Errorf("encoding: %w", err)
	}
	return bytes.TrimRight(buf.Bytes(), "\n"), nil
}

// newArtifact makes the record and its stored form.
func newArtifact(owner string, r ArtifactRequest, now time.Time) (Artifact, []byte, error) {
	content, err := canonical(r.Content)
	if err != nil {
		return Artifact{}, nil, err
	}
	for _, tag := range r.Tags {
		if tag == "" || len(tag) > 128 {
			return Artifact{}, nil, fail(Invalid, "INVALID_ARTIFACT", "a tag has 1 to 128 bytes")
		}
	}
	sum := sha256.Sum256(content)
	r.Content = content
	a := Artifact{ID: hex.EncodeToString(sum[:]), Owner: owner, CreatedAt: now.UTC(), ArtifactRequest: r}
	value, err := encodePlain(a)
	if err == nil && len(value) > store.MaxRecordBytes {
		err = fail(TooLarge, "ARTIFACT_TOO_LARGE", "the artifact is over %d bytes as canonical JSON", store.MaxRecordBytes)
	}
	return a, value, err
}

// same reports whether two artifacts differ in nothing but when they were sent.
func (a Artifact) same(b Artifact) bool {
	a.CreatedAt = b.CreatedAt
	x, errX := encodePlain(a)
	y, errY := encodePlain(b)
	return errX == nil && errY == nil && bytes.Equal(x, y)
}
