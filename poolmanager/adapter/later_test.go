package adapter_test

import (
	"errors"
	"net/http"
	"testing"
	"time"

	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

func TestARefusalThatNamesATimeMeansTryLater(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		after  string
		want   adapter.Class
		wait   time.Duration
	}{
		"429":                           {429, "7", adapter.ClassBusy, 7 * time.Second},
		"503 without a time":            {503, "", adapter.ClassBusy, 0},
		"529 without a time":            {529, "", adapter.ClassBusy, 0},
		"a time beyond every number":    {503, "99999999999999999999", adapter.ClassBusy, nodeapi.MaxRetryAfter},
		"a time before now":             {503, "-5", adapter.ClassBusy, 0},
		"500 with a time":               {500, "3", adapter.ClassBusy, 3 * time.Second},
		"502 with a time":               {502, "3", adapter.ClassBusy, 3 * time.Second},
		"504 with a time":               {504, "3", adapter.ClassBusy, 3 * time.Second},
		"408 with a time":               {408, "3", adapter.ClassBusy, 3 * time.Second},
		"425 with a time":               {425, "3", adapter.ClassBusy, 3 * time.Second},
		"502 without a time":            {502, "", adapter.ClassFailed, 0},
		"502 with what is no time":      {502, "soon", adapter.ClassFailed, 0},
		"501 with a time":               {501, "3", adapter.ClassRefused, 0},
		"400, whatever time it names":   {400, "3", adapter.ClassRefused, 0},
		"a page found elsewhere, later": {302, "3", adapter.ClassRefused, 0},
	} {
		_, _, err := answerOf(t, adapter.OpenAI, nodeapi.DispatchRequest{Messages: messages}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", c.after)
			w.WriteHeader(c.status)
		})
		var got *adapter.Error
		if !errors.As(err, &got) || got.Class != c.want || got.RetryAfter != c.wait {
			t.Errorf("%s: got %+v, want %s and %v", name, got, c.want, c.wait)
		}
	}
}
