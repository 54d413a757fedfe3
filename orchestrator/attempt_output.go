package orchestrator

import (
	"context"
	"errors"
	"fmt"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// errWrongOutput is an answer that does not fit the workload.
var errWrongOutput = errors.New("the pool's answer does not fit the workload")

// numberBytes is what a number of a vector counts against maxOutputBytes: a
// sign, nine digits, a point and a comma. 256 vectors of 4096 numbers fit.
const numberBytes = 12

// output is what a dispatch has given for the inputs of its task.
type output struct {
	given int
	seen  []bool
	width int // of the first vector; all have the same
}

// take passes on one event that is not the last.
func (a *attempt) take(ctx context.Context, ev nodeapi.Event) error {
	switch w := a.request.Workload; {
	case ev.Type == nodeapi.EventToken && (w == "" || w == Completion):
		return a.token(ctx, ev.Text)
	case ev.Type == nodeapi.EventEmbedding && w == Embedding:
		return a.vector(ctx, ev)
	case ev.Type == nodeapi.EventScore && w == Rerank:
		return a.result(ctx, ev, EventScore, ScoreData{ev.Index, ev.Score})
	}
	return fmt.Errorf("%w: it sent a %s event", errWrongOutput, ev.Type)
}

func (a *attempt) vector(ctx context.Context, ev nodeapi.Event) error {
	if a.bytes += numberBytes * len(ev.Vector); a.bytes > maxOutputBytes {
		return errTooMuch
	}
	if a.out.width == 0 {
		a.out.width = len(ev.Vector)
	}
	if len(ev.Vector) != a.out.width {
		return fmt.Errorf("%w: it sent vectors of different lengths", errWrongOutput)
	}
	return a.result(ctx, ev, EventEmbedding, EmbeddingData{ev.Index, ev.Vector})
}

// result passes on what belongs to one input, which comes once.
func (a *attempt) result(ctx context.Context, ev nodeapi.Event, kind EventType, data any) error {
	if a.out.seen == nil {
		a.out.seen = make([]bool, len(a.request.Inputs))
	}
	if ev.Index < 0 || ev.Index >= len(a.out.seen) || a.out.seen[ev.Index] {
		return fmt.Errorf("%w: it answered an unknown input, or one input twice", errWrongOutput)
	}
	if err := a.allowOutput(ctx); err != nil {
		return err
	}
	a.out.seen[ev.Index] = true
	a.out.given++
	a.tail.add(kind, encodeData(data))
	return nil
}

// checkComplete refuses an end that comes before every input has its answer.
func (a *attempt) checkComplete(end nodeapi.Event) error {
	if w := a.request.Workload; end.Type != nodeapi.EventEnd || w == "" || w == Completion || a.out.given == len(a.request.Inputs) {
		return nil
	}
	return fmt.Errorf("%w: it ended after %d of %d inputs", errWrongOutput, a.out.given, len(a.request.Inputs))
}
