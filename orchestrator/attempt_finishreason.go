package orchestrator

// OpenAI's finish reasons.
const (
	finishStop   = "stop"
	finishLength = "length"
)

// finishes maps every finish reason of a successful answer to OpenAI's. Pool managers
// translate those of their engines; older versions pass them on, and give none for
// vectors and scores.
var finishes = map[string]string{
	"": finishStop, "stop": finishStop, "eos": finishStop, "word": finishStop, "eos_token": finishStop, "stop_sequence": finishStop, "end_turn": finishStop,
	"length": finishLength, "limit": finishLength, "max_tokens": finishLength,
}

// Succeeded reports whether a finish_reason is known to be success; others, such as abort
// or error, are failures.
func Succeeded(reason string) bool { return finishes[reason] != "" }

// FinishReason gives OpenAI's finish_reason for a pool's; "" when it is not success.
func FinishReason(reason string) string { return finishes[reason] }
