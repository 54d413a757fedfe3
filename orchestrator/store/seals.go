package store

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// sealsPrefix is of keys in the bucket of leases: each replica that can read encrypted
// content has one, for good. Replicas of older versions have none.
const sealsPrefix = "seals-"

// announce says that this replica can read encrypted content.
func (s *Store) announce(ctx context.Context) error {
	if !s.shared {
		return nil
	}
	_, err := s.Bucket(Leases).Create(ctx, sealsPrefix+s.replica, []byte("{}"))
	if err != nil && !errors.Is(err, ErrExists) {
		return err
	}
	return s.followErased(ctx)
}

// Seals reports whether content may be encrypted: whether every replica can read it. With an
// external cluster, where the number of replicas is not configured, the holder of the lease
// must be able to; if a replica of an older version gets the lease later, such tasks wait.
func (s *Store) Seals(ctx context.Context, lease string) (bool, error) {
	if !s.shared {
		return true, nil
	}
	can, holder := map[string]bool{}, ""
	err := s.Bucket(Leases).Each(ctx, func(e Entry) error {
		if name, ok := strings.CutPrefix(e.Key, sealsPrefix); ok {
			can[name] = true
		}
		if e.Key == lease {
			var c claim
			if err := json.Unmarshal(e.Value, &c); err != nil {
				return fmt.Errorf("decoding lease %s: %w", lease, err)
			}
			holder = c.Holder
		}
		return nil
	})
	if err != nil {
		return false, err
	}
	if s.srv != nil { // embedded: the peers are known
		return len(can) >= s.replicas, nil
	}
	return holder == "" || can[holder], nil
}
