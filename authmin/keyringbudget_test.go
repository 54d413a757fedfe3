package authmin

import (
	"slices"
	"strings"
	"testing"
)

func TestKeyringFormat2HasBudgets(t *testing.T) {
	const budgets = "2Mtokens/day/hard,300requests/hour"
	line := lineOf("ci", "infer", "models=tiny", "budget="+budgets)
	for name, c := range map[string]struct{ content, err string }{
		"format 2":       {"# format 2\n" + line + "\n# end 1\n", ""},
		"no format":      {line + "\n# end 1\n", "needs a line `# format 2`"},
		"without models": {lineOf("ci", "infer", "budget="+budgets) + "\n# end 1\n", "budget needs a line `# format 2`"},
		"twice":          {"# format 2\n" + line + " budget=1tokens/day\n# end 1\n", "budget is given twice"},
		"empty":          {"# format 2\n" + lineOf("ci", "infer", "budget=") + "\n# end 1\n", "want a budget such as"},
		"of no unit":     {"# format 2\n" + lineOf("ci", "infer", "budget=5/day") + "\n# end 1\n", "want a budget such as"},
	} {
		t.Run(name, func(t *testing.T) {
			tokens, err := ParseKeyring([]byte(c.content))
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) {
					t.Errorf("got %v, want %s", err, c.err)
				}
				return
			}
			if err != nil || JoinBudgets(tokens[0].Budgets) != budgets {
				t.Fatalf("got %v (%v)", tokens, err)
			}
			if got := string(FormatKeyring(tokens)); got != c.content {
				t.Errorf("written as %s, want %s", got, c.content)
			}
		})
	}
}

// An older version refuses the file: see [TestModelsAreNoFieldOfFormat1].
func TestABudgetIsNoFieldOfFormat1(t *testing.T) {
	if err := new(Token).setField("budget", "1tokens/day"); err == nil {
		t.Error("budget is a field of format 1")
	}
}

func TestAChangedBudgetIsAChangedToken(t *testing.T) {
	a := NewToken("ci", NewSecret(strings.Repeat("a", MinTokenLength)), ScopeInfer)
	b := a
	b.Budgets = []Budget{{1, BudgetTokens, BudgetDay, false}}
	if sameToken(&a, &b) || !sameToken(&b, &b) || !slices.ContainsFunc([]Token{b}, needsFormat2) {
		t.Error("a budget is not seen")
	}
}
