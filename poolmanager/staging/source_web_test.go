package staging

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
)

// TestAPartOfAnotherVersionIsNotAppended: a source that was replaced between two answers, or
// that answers another range, is read from its beginning.
func TestAPartOfAnotherVersionIsNotAppended(t *testing.T) {
	known := validator{ETag: `"one"`, Length: 100}
	for name, c := range map[string]struct {
		status int
		header map[string]string
		want   error
		from   int64
	}{
		"the rest":             {206, map[string]string{"Content-Range": "bytes 40-99/100", "ETag": `"one"`}, nil, 40},
		"the rest, no version": {206, map[string]string{"Content-Range": "bytes 40-99/100"}, nil, 40},
		"another version":      {206, map[string]string{"Content-Range": "bytes 40-99/100", "ETag": `"two"`}, errStartAgain, 0},
		"another length":       {206, map[string]string{"Content-Range": "bytes 40-199/200", "ETag": `"one"`}, errStartAgain, 0},
		"another range":        {206, map[string]string{"Content-Range": "bytes 41-99/100", "ETag": `"one"`}, errStartAgain, 0},
		"no range":             {206, nil, errStartAgain, 0},
		"all of it":            {200, map[string]string{"ETag": `"two"`}, nil, 0},
		"nothing of it":        {416, nil, errStartAgain, 0},
		"an encoding":          {200, map[string]string{"Content-Encoding": "gzip"}, errSource, 0},
	} {
		r := &http.Response{StatusCode: c.status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader("")), ContentLength: 100}
		for name, value := range c.header {
			r.Header.Set(name, value)
		}
		from, _, err := checkAnswer(r, 40, known)
		if !errors.Is(err, c.want) || from != c.from {
			t.Errorf("%s: got %d, %v, want %d, %v", name, from, err, c.from, c.want)
		}
	}
}
