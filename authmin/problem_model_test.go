package authmin

import (
	"strings"
	"testing"
)

func TestModelNotAllowedNamesWhatIsAllowed(t *testing.T) {
	for list, want := range map[string]string{
		"tiny,team-*":         "it may use tiny, team-*.",
		"a,b,c,d,e,f,g,h,i,j": "it may use a, b, c, d, e, f, g, h and others.",
	} {
		m, err := ParseModels(list)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range []Dialect{DialectOpenAI, DialectAnthropic, DialectOllama} {
			body := string(ModelNotAllowed(m).Body(d, "id"))
			if !strings.Contains(body, want) || !strings.Contains(body, `"allowed_models":["`+strings.ReplaceAll(list, ",", `","`)+`"]`) {
				t.Errorf("dialect %d: got %s", d, body)
			}
		}
	}
	if body := string(ModelNotAllowed(new(Models)).Body(DialectOpenAI, "id")); !strings.Contains(body, "it may use none.") || !strings.Contains(body, `"allowed_models":[]`) {
		t.Errorf("without a model: got %s", body)
	}
	if ProblemModel.Extra != nil {
		t.Error("the shared problem was changed")
	}
}
