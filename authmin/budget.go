package authmin

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// BudgetUnit is what a budget counts.
type BudgetUnit string

// The units.
const (
	BudgetTokens   BudgetUnit = "tokens"   // of prompts and answers, as the upstream reports them
	BudgetRequests BudgetUnit = "requests" // that the gateway forwarded
)

// BudgetPeriod is the window in which a budget counts. Windows begin in UTC: at the full
// hour, at midnight, on the first of the month.
type BudgetPeriod string

// The periods.
const (
	BudgetHour  BudgetPeriod = "hour"
	BudgetDay   BudgetPeriod = "day"
	BudgetMonth BudgetPeriod = "month"
)

// MaxBudget is the largest amount of a budget.
const MaxBudget = 1 << 50

// MaxBudgets is how many budgets one token, scope or guard can have: one for each unit and
// period.
const MaxBudgets = 6

// hardBudget is the word of a budget that ends a running stream.
const hardBudget = "hard"

// Budget is how much an identity may use in a window of time.
type Budget struct {
	Amount int64 // of Unit, 1 to MaxBudget
	Unit   BudgetUnit
	Period BudgetPeriod
	Hard   bool // a stream ends when no token is left; without it the rest is a debt
}

// What a budget looks like in a keyring line and in JSON, and in a Caddyfile.
var (
	errBudget      = errors.New("want a budget such as 2Mtokens/day, 300requests/hour or 2Mtokens/day/hard")
	errBudgetWords = errors.New("want N tokens|requests per hour|day|month [hard], such as `budget 2M tokens per day`")
)

// ParseBudget reads `AMOUNTtokens|requests/hour|day|month[/hard]`, as a keyring line has it.
// k, M and G behind the integer are thousands, millions and thousands of millions.
func ParseBudget(text string) (Budget, error) {
	parts := strings.Split(text, "/")
	b := Budget{}
	if len(parts) == 3 && parts[2] == hardBudget {
		parts, b.Hard = parts[:2], true
	}
	if len(parts) != 2 {
		return Budget{}, errBudget
	}
	for _, unit := range []BudgetUnit{BudgetTokens, BudgetRequests} {
		if amount, ok := strings.CutSuffix(parts[0], string(unit)); ok {
			b.Unit, b.Period = unit, BudgetPeriod(parts[1])
			if err := b.setAmount(amount); err != nil {
				return Budget{}, fmt.Errorf("%w: %w", errBudget, err)
			}
			return b, nil
		}
	}
	return Budget{}, errBudget
}

// ParseBudgetWords reads `AMOUNT tokens|requests per hour|day|month [hard]`, as a Caddyfile
// has it.
func ParseBudgetWords(words []string) (Budget, error) {
	b := Budget{}
	if len(words) == 5 && words[4] == hardBudget {
		words, b.Hard = words[:4], true
	}
	if len(words) != 4 || words[2] != "per" {
		return Budget{}, errBudgetWords
	}
	b.Unit, b.Period = BudgetUnit(words[1]), BudgetPeriod(words[3])
	if err := b.setAmount(words[0]); err != nil {
		return Budget{}, fmt.Errorf("%w: %w", errBudgetWords, err)
	}
	return b, nil
}

var budgetFactors = []struct {
	suffix string
	factor int64
}{{"G", 1e9}, {"M", 1e6}, {"k", 1e3}}

func (b *Budget) setAmount(text string) error {
	factor := int64(1)
	for _, f := range budgetFactors {
		if digits, ok := strings.CutSuffix(text, f.suffix); ok {
			text, factor = digits, f.factor
			break
		}
	}
	amount, err := strconv.ParseInt(text, 10, 64)
	if err != nil || text[0] == '+' || text[0] == '0' || amount < 1 || amount > MaxBudget/factor {
		return fmt.Errorf("the amount is not an integer from 1 to %d, such as 300, 500k, 2M or 1G", int64(MaxBudget))
	}
	b.Amount = amount * factor
	return b.check()
}

func (b *Budget) check() error {
	switch {
	case b.Unit != BudgetTokens && b.Unit != BudgetRequests:
		return errors.New("the unit is neither tokens nor requests")
	case b.Period != BudgetHour && b.Period != BudgetDay && b.Period != BudgetMonth:
		return errors.New("the period is none of hour, day and month")
	case b.Hard && b.Unit == BudgetRequests:
		return errors.New("hard ends streams when no token is left; a budget of requests has no use for it")
	}
	return nil
}

// String returns the budget as [ParseBudget] reads it.
func (b Budget) String() string {
	text := b.amount() + string(b.Unit) + "/" + string(b.Period)
	if b.Hard {
		text += "/" + hardBudget
	}
	return text
}

// Words returns the budget as [ParseBudgetWords] reads it.
func (b Budget) Words() string {
	text := b.amount() + " " + string(b.Unit) + " per " + string(b.Period)
	if b.Hard {
		text += " " + hardBudget
	}
	return text
}

func (b Budget) amount() string {
	for _, f := range budgetFactors {
		if b.Amount > 0 && b.Amount%f.factor == 0 {
			return strconv.FormatInt(b.Amount/f.factor, 10) + f.suffix
		}
	}
	return strconv.FormatInt(b.Amount, 10)
}

// MarshalText implements [encoding.TextMarshaler].
func (b Budget) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText implements [encoding.TextUnmarshaler].
func (b *Budget) UnmarshalText(text []byte) (err error) {
	*b, err = ParseBudget(string(text))
	return err
}

// CheckBudgets refuses two budgets of one unit and period in a list.
func CheckBudgets(list []Budget) error {
	for i, b := range list {
		if err := b.check(); err != nil {
			return err
		}
		if slices.ContainsFunc(list[:i], func(o Budget) bool { return o.Unit == b.Unit && o.Period == b.Period }) {
			return fmt.Errorf("two budgets of %s per %s", b.Unit, b.Period)
		}
	}
	return nil
}

// ParseBudgets reads `BUDGET[,BUDGET…]`, each as [ParseBudget] does.
func ParseBudgets(list string) ([]Budget, error) {
	texts := strings.SplitN(list, ",", MaxBudgets+1)
	budgets := make([]Budget, 0, len(texts))
	for _, text := range texts {
		b, err := ParseBudget(text)
		if err != nil {
			return nil, err
		}
		budgets = append(budgets, b)
	}
	return budgets, CheckBudgets(budgets)
}

// JoinBudgets is the inverse of [ParseBudgets].
func JoinBudgets(list []Budget) string {
	texts := make([]string, len(list))
	for i, b := range list {
		texts[i] = b.String()
	}
	return strings.Join(texts, ",")
}
