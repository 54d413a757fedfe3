package backend

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func TestCleanupsRunInReverseOnceWhateverFails(t *testing.T) {
	var c Cleanups
	var order []string
	for _, name := range []string{"listener", "store", "server"} {
		c.Push(name, func(context.Context) error {
			order = append(order, name)
			if name == "store" {
				return errors.New("disk full")
			}
			return nil
		})
	}
	for range 2 {
		if err := c.Run(t.Context()); err == nil || err.Error() != "stopping store: disk full" {
			t.Errorf("got %v", err)
		}
	}
	if got := strings.Join(order, " "); got != "server store listener" {
		t.Errorf("got %s", got)
	}
}

func TestACleanupThatHangsIsLeftBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c Cleanups
		ended, hang := make(chan struct{}), make(chan struct{})
		defer close(hang)
		c.Push("store", func(context.Context) error { close(ended); return nil })
		c.Push("tasks", func(context.Context) error { <-hang; return nil })
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		began := time.Now()
		err := c.Run(ctx)
		if took := time.Since(began); !errors.Is(err, errAbandoned) || !strings.Contains(err.Error(), "stopping tasks: ") || took != time.Minute+stopGrace {
			t.Errorf("got %v after %v", err, took)
		}
		<-ended // the step after it was not left out
	})
}
