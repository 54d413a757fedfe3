package staging

import "time"

// knownBad reports whether the source had the wrong digest within badFor. A pool
// retries for ever, and should not download hundreds of gigabytes each time.
func (s *Stager) knownBad(m catalogModel) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	at, ok := s.bad[m.Digest+m.SourceURL]
	return ok && time.Since(at) < s.times.badFor
}

func (s *Stager) noteBad(m catalogModel) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.bad) >= maxBad {
		clear(s.bad) // each is downloaded once more
	}
	s.bad[m.Digest+m.SourceURL] = time.Now()
}
