package orchestrator

import "slices"

// successes are the finish reasons of a successful answer. Pool managers translate those
// of their engines; older versions pass them on, and give none for vectors and scores.
var successes = []string{"", "stop", "eos", "word", "eos_token", "stop_sequence", "end_turn", "length", "limit", "max_tokens"}

// Succeeded reports whether a finish_reason is in the list of successes; every other, such as
// abort or error, is a failure.
func Succeeded(reason string) bool { return slices.Contains(successes, reason) }
