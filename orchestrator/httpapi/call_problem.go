package httpapi

// forGood tells OpenAI's clients not to repeat a call by themselves, as they do with
// these statuses, when the same task would fail again or was not wanted any more.
func forGood(p *Problem) *Problem {
	switch p.Code {
	case "WORKER_RESET", "WORKER_UNAVAILABLE", "ENGINE_UNAVAILABLE", "ENGINE_BUSY":
	default:
		p.Header.Set("X-Should-Retry", "false")
	}
	return p
}
