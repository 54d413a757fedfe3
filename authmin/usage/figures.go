package usage

// MaxFigure is the largest figure that counts. An answer with a larger one is unreported.
const MaxFigure = 1 << 40

// Figures are the tokens of one answer, as its engine reported them.
type Figures struct {
	Input, Output int64 // tokens; Input includes those that were cached
	Cached        int64 // of Input, as far as the engine said
	Reasoning     int64 // of Output, as far as the engine said

	// Reported says that the engine reported its tokens, and that all figures could be
	// read. Without it the figures are those of an answer that has only begun, or zero.
	Reported bool

	// Model is the model that answered, as the engine spells it: at most 510 bytes, not
	// cleaned. Empty where it was not said.
	Model string
}

// counts are the figures so far. A later one replaces an earlier.
type counts struct {
	input, output, cached, reasoning int64
	readCache, written               int64 // Anthropic's, beside input_tokens

	final bool   // a usage was read that is more than the beginning of one
	bad   bool   // a figure could not be read
	model string // as it answered
	raw   string // the model as JSON
}

// figures are the counts as they are reported.
func (c *counts) figures() Figures {
	f := Figures{
		Input: c.input + c.readCache + c.written, Output: c.output,
		Cached: c.cached + c.readCache, Reasoning: c.reasoning,
		Reported: c.final, Model: c.model,
	}
	if c.bad || f.Input > MaxFigure || f.Cached > MaxFigure {
		return Figures{Model: c.model}
	}
	return f
}
