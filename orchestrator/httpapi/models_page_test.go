package httpapi

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"
)

// TestAnthropicsClientsPageThroughModels, forwards and backwards. The clients of OpenAI's
// API always get all of them.
func TestAnthropicsClientsPageThroughModels(t *testing.T) {
	s := serve(t, Options{})
	s.offers("m", "vllm", nil, 0, "a", "b", "c", "d", "e")
	version := []string{"Anthropic-Version", "2023-06-01"}
	for query, want := range map[string]string{
		"": "abcde", "?limit=2": "ab+", "?limit=2&after_id=b": "cd+", "?limit=2&after_id=d": "e", "?after_id=e": "", "?after_id=bb": "cde",
		"?limit=2&before_id=d": "bc+", "?limit=2&before_id=b": "a", "?before_id=c": "ab", "?limit=1000": "abcde",
	} {
		var got struct {
			Data    []struct{ ID string }
			HasMore bool    `json:"has_more"`
			LastID  *string `json:"last_id"`
		}
		if err := json.Unmarshal([]byte(s.want(200, "GET", "/v1/models"+query, "", version...)), &got); err != nil {
			t.Fatal(err)
		}
		names := ""
		for _, m := range got.Data {
			names += m.ID
		}
		if got.LastID != nil && !strings.HasSuffix(names, *got.LastID) {
			t.Errorf("%s: the last is said to be %s of %s", query, *got.LastID, names)
		}
		if got.HasMore {
			names += "+"
		}
		if names != want {
			t.Errorf("%s: got %s, want %s", query, names, want)
		}
	}
	for _, query := range []string{"?limit=0", "?limit=1001", "?limit=x", "?after_id=a&before_id=c"} {
		if got := s.want(http.StatusBadRequest, "GET", "/v1/models"+query, "", version...); !strings.Contains(got, `"type":"error"`) {
			t.Errorf("%s: got %s", query, got)
		}
		if got := s.want(200, "GET", "/v1/models"+query, ""); strings.Count(got, `"id":`) != 5 {
			t.Errorf("%s, for OpenAI's clients: got %s", query, got)
		}
	}
}
