package cli

import (
	"fmt"
	"time"

	"github.com/caddyserver/caddy/v2"
)

// parseWhen reads a moment of a flag: a duration from now, in which a day is `d`,
// or an RFC 3339 time. Empty is no moment, 0. It is given in Unix seconds.
func parseWhen(flag, text string, now time.Time) (int64, error) {
	if text == "" {
		return 0, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil && t.Unix() > 0 {
		return t.Unix(), nil
	}
	d, err := caddy.ParseDuration(text)
	if err != nil || d < 0 {
		return 0, fmt.Errorf("%s: want a duration such as 90d or 12h, or a time such as 2027-01-31T00:00:00Z", flag)
	}
	return now.Add(d).Unix(), nil
}
