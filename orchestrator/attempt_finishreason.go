package orchestrator

// OpenAI's words for how an answer ended.
const (
	finishStop   = "stop"
	finishLength = "length"
)

// finishes is every word that a pool may end an answer with that is whole, or as long
// as was asked for, and OpenAI's word for it. Pool managers translate their engines'
// words; those of older versions pass them on, and give none for vectors and scores.
var finishes = map[string]string{
	"": finishStop, "stop": finishStop, "eos": finishStop, "word": finishStop, "eos_token": finishStop, "stop_sequence": finishStop, "end_turn": finishStop,
	"length": finishLength, "limit": finishLength, "max_tokens": finishLength,
}

// Succeeded reports whether a finish_reason is known to be success. Another one, such as
// abort or error, is none.
func Succeeded(reason string) bool { return finishes[reason] != "" }

// FinishReason gives OpenAI's word for a finish_reason; "" for one that is no success.
func FinishReason(reason string) string { return finishes[reason] }
