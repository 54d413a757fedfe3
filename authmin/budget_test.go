package authmin

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
)

func TestABudgetIsReadAsItIsWritten(t *testing.T) {
	for text, want := range map[string]Budget{
		"2Mtokens/day":                 {2_000_000, BudgetTokens, BudgetDay, false},
		"300requests/hour":             {300, BudgetRequests, BudgetHour, false},
		"5ktokens/month/hard":          {5000, BudgetTokens, BudgetMonth, true},
		"1Gtokens/hour":                {1_000_000_000, BudgetTokens, BudgetHour, false},
		"1500tokens/day":               {1500, BudgetTokens, BudgetDay, false},
		"1125899906842624requests/day": {MaxBudget, BudgetRequests, BudgetDay, false},
	} {
		got, err := ParseBudget(text)
		if err != nil || got != want || got.String() != text {
			t.Errorf("ParseBudget(%q) = %+v (%v), written %s, want %+v", text, got, err, got, want)
		}
		words, err := ParseBudgetWords(strings.Fields(got.Words()))
		if err != nil || words != want {
			t.Errorf("ParseBudgetWords(%q) = %+v (%v), want %+v", got.Words(), words, err, want)
		}
		encoded, err := json.Marshal(got)
		var decoded Budget
		if err != nil || json.Unmarshal(encoded, &decoded) != nil || decoded != want {
			t.Errorf("as JSON %s is %+v (%v), want %+v", encoded, decoded, err, want)
		}
	}
}

func TestWhatIsNoBudgetIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "2M", "tokens/day", "0tokens/day", "-1tokens/day", "+1tokens/day", "02tokens/day", "1.5Mtokens/day",
		"2mtokens/day", "2 Mtokens/day", "2Mtokens", "2Mtokens/year", "2Mtokens/day/soft", "2Mtokens/day/hard/hard",
		"2Mwords/day", "300requests/hour/hard", "1125899906842625tokens/day", "9223372036854775807Gtokens/day",
		"2MMtokens/day", "2Mtokens/Day", "2Mtokens /day", "2Mtokens/day,300requests/hour",
	} {
		if b, err := ParseBudget(text); err == nil {
			t.Errorf("ParseBudget(%q) = %+v, want an error", text, b)
		}
	}
	for _, words := range []string{"", "2M tokens", "2M tokens a day", "2M tokens per day soft", "2M tokens per day hard hard", "tokens 2M per day"} {
		if b, err := ParseBudgetWords(strings.Fields(words)); err == nil {
			t.Errorf("ParseBudgetWords(%q) = %+v, want an error", words, b)
		}
	}
}

// An error says what a budget looks like where it was read.
func TestABudgetIsRefusedInItsOwnGrammar(t *testing.T) {
	for _, budget := range []string{"0 tokens day", "2M words day", "2M tokens year", "3 requests hour /hard"} {
		part := strings.Fields(budget + " ")
		hard := strings.Join(part[3:], "")
		_, keyring := ParseBudget(part[0] + part[1] + "/" + part[2] + hard)
		_, caddyfile := ParseBudgetWords(strings.Fields(part[0] + " " + part[1] + " per " + part[2] + " " + strings.TrimPrefix(hard, "/")))
		if keyring == nil || !strings.Contains(keyring.Error(), "2Mtokens/day") || strings.Contains(keyring.Error(), "per day") {
			t.Errorf("%s in a keyring: got %v", budget, keyring)
		}
		if caddyfile == nil || strings.Contains(caddyfile.Error(), "2Mtokens/day") || !strings.Contains(caddyfile.Error(), "2M tokens per day") {
			t.Errorf("%s in a Caddyfile: got %v", budget, caddyfile)
		}
	}
}

func TestAListOfBudgetsHasOneOfAKind(t *testing.T) {
	const list = "2Mtokens/day,10Mtokens/month/hard,300requests/hour"
	got, err := ParseBudgets(list)
	if err != nil || len(got) != 3 || JoinBudgets(got) != list {
		t.Errorf("ParseBudgets(%q) = %v (%v)", list, got, err)
	}
	if all := slices.Repeat(got, 3); CheckBudgets(all) == nil {
		t.Error("a list that has budgets twice is accepted")
	}
	for _, list := range []string{"", ",", "2Mtokens/day,", "2Mtokens/day,3Mtokens/day/hard"} {
		if got, err := ParseBudgets(list); err == nil {
			t.Errorf("ParseBudgets(%q) = %v, want an error", list, got)
		}
	}
}
