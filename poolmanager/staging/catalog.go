package staging

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/llorch/gateway/poolmanager/modelref"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// errCatalogDown says that the catalog is unavailable. It is the one failure after
// which a kept record is used.
var errCatalogDown = errors.New("catalog unavailable")

// catalogModel is the record of a model in the orchestrator's catalog.
type catalogModel struct{ nodeapi.Model }

func (m catalogModel) hex() string { return strings.TrimPrefix(m.Digest, "sha256:") }

// check refuses a model that must not run, or cannot be verified by its digest alone.
func (m catalogModel) check(id string, now time.Time) error {
	switch {
	case m.ID != id:
		return fmt.Errorf("%w: the catalog answered for another model", ErrStaging)
	case !modelref.ValidDigest(m.Digest):
		return fmt.Errorf("%w: the catalog names no sha256 digest for it", ErrStaging)
	case !m.TakesTasks(now):
		return fmt.Errorf("%w: the catalog has retired it", ErrStaging)
	case m.TrustPolicy != "" && m.TrustPolicy != "digest":
		return fmt.Errorf("%w: unsupported trust_policy; only the digest can be checked", ErrStaging)
	case m.Verification.Status == nodeapi.NotVerified:
		return fmt.Errorf("%w: the catalog could not verify it", ErrStaging)
	}
	return nil
}

// lookUp asks the catalog. When it is unavailable, the last known record is enough to
// start a model that is staged already: a node must start without the orchestrator.
func (s *Stager) lookUp(ctx context.Context, id string) (catalogModel, error) {
	if s.Root == "" {
		return catalogModel{}, fmt.Errorf("%w: no model root is configured (POOL_MANAGERD_MODEL_ROOT)", modelref.ErrRef)
	}
	if s.Catalog == nil {
		return catalogModel{}, fmt.Errorf("%w: catalog: needs an orchestrator (ORCHESTRATORD_URL and ORCHESTRATORD_TOKEN)", modelref.ErrRef)
	}
	m, err := s.ask(ctx, id)
	if err == nil {
		if err = m.check(id, time.Now()); err == nil {
			s.noteRecord(id, m)
		}
		return m, err
	}
	if !errors.Is(err, errCatalogDown) || ctx.Err() != nil {
		return m, err
	}
	old, ok := s.oldRecord(id)
	if !ok || old.check(id, time.Now()) != nil {
		return m, err
	}
	if _, statErr := os.Lstat(s.finalPath(old.hex())); statErr != nil {
		return m, err
	}
	s.Log.Warn("catalog unavailable; using the staged model", "model_id", id, "error", err)
	return old, nil
}

func (s *Stager) ask(ctx context.Context, id string) (catalogModel, error) {
	m, err := s.Catalog(ctx, id)
	refused, answered := errors.AsType[*nodeapi.StatusError](err)
	switch {
	case err == nil:
		return catalogModel{m}, nil
	case errors.Is(err, nodeapi.ErrUnreachable):
		err = fmt.Errorf("%w: %w: %w", ErrStaging, errCatalogDown, err)
	case !answered:
		err = fmt.Errorf("%w: asking the catalog: %w", ErrStaging, err)
	case refused.Status == http.StatusNotFound:
		err = fmt.Errorf("%w: the catalog has no model of this id", ErrStaging)
	case refused.Status == http.StatusForbidden, refused.Status == http.StatusUnauthorized:
		err = fmt.Errorf("%w: the catalog answered %d %s; ORCHESTRATORD_TOKEN needs scope catalog", ErrStaging, refused.Status, refused.Code)
	case refused.Status >= 500, refused.Status == http.StatusTooManyRequests:
		err = fmt.Errorf("%w: %w: it answered %d", ErrStaging, errCatalogDown, refused.Status)
	default:
		err = fmt.Errorf("%w: the catalog answered %d", ErrStaging, refused.Status)
	}
	return catalogModel{}, err
}

// recordPath is the file of the last known record of an id. Its name is a digest of the
// id, never the id.
func (s *Stager) recordPath(id string) string {
	sum := sha256.Sum256([]byte(id))
	return filepath.Join(s.stagingDir(), "id-"+hex.EncodeToString(sum[:])+".json")
}

func (s *Stager) noteRecord(id string, m catalogModel) {
	if err := s.prepare(); err != nil {
		return // the download reports the error
	}
	if err := writeJSON(s.recordPath(id), m); err != nil {
		s.Log.Warn("could not keep the catalog's record", "error", err)
	}
}

func (s *Stager) oldRecord(id string) (m catalogModel, ok bool) {
	return m, s.prepare() == nil && readJSON(s.recordPath(id), &m) == nil
}
