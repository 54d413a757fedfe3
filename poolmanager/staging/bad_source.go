package staging

import "time"

// knownBad reports whether the source had other bytes lately. A pool tries again
// for ever; hundreds of gigabytes should not.
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
		clear(s.bad) // they are asked once more
	}
	s.bad[m.Digest+m.SourceURL] = time.Now()
}
