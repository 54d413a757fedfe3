package testkit

import (
	"fmt"
	"runtime"
	"testing"
)

// recorder is a test that notes its failure; Fatalf ends the goroutine, as that
// of a test does.
type recorder struct {
	testing.TB
	failure string
}

func (r *recorder) Helper() {}

func (r *recorder) Errorf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
}

func (r *recorder) Fatalf(format string, args ...any) {
	r.failure = fmt.Sprintf(format, args...)
	runtime.Goexit()
}
