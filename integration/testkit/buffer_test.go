package testkit

import (
	"fmt"
	"slices"
	"sync"
	"testing"
)

func TestABufferIsReadWhileItIsWritten(t *testing.T) {
	var b Buffer
	var writers sync.WaitGroup
	for i := range 10 {
		writers.Go(func() { fmt.Fprintf(&b, "line %d\n", i); _ = b.String() })
	}
	writers.Wait()
	if got := b.Lines("line"); len(got) != 10 {
		t.Errorf("got %q, want 10 lines", got)
	}
	if got, want := b.Lines("7"), []string{"line 7\n"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
