package orchestrator_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"

	"github.com/llorch/gateway/orchestrator"
	"github.com/llorch/gateway/orchestrator/store"
)

// A single server: a store in a directory, one model in the catalog, and a task that
// waits because no node is registered. Its owner follows it and cancels it; another
// identity does not find it.
func Example() {
	if err := example(context.Background()); err != nil {
		fmt.Println(err)
	}
	// Output:
	// task: queued
	// for eve: TASK_NOT_FOUND
	// event: canceled
	// task: canceled
}

func example(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "orchestrator-example-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	log := slog.New(slog.DiscardHandler)
	st, err := store.Open(ctx, store.Options{Dir: dir, Log: log})
	if err != nil {
		return err
	}
	defer st.Close()
	o, err := orchestrator.New(ctx, orchestrator.Config{
		Store: st, Log: log, Settings: orchestrator.Settings{Capacity: 10},
	})
	if err != nil {
		return err
	}
	defer o.Stop(ctx)

	admin := orchestrator.Who{Identity: "root", Admin: true}
	model := orchestrator.ModelRequest{ID: "tiny", SourceURL: "file:tiny.gguf", Digest: "sha256:" + strings.Repeat("0", 64)}
	if _, err := o.AddModel(ctx, admin, model); err != nil {
		return err
	}
	ci := orchestrator.Who{Identity: "ci"}
	admitted, err := o.Submit(ctx, ci, orchestrator.TaskRequest{ModelRef: "tiny", Prompt: "hello"}, "")
	if err != nil {
		return err
	}
	task, err := o.Task(ci, admitted.TaskID)
	if err != nil {
		return err
	}
	fmt.Println("task:", task.State)
	_, err = o.Task(orchestrator.Who{Identity: "eve"}, admitted.TaskID)
	if answer, ok := orchestrator.AsError(err); ok {
		fmt.Println("for eve:", answer.Code)
	}

	events, err := o.Follow(ci, admitted.TaskID, 0)
	if err != nil {
		return err
	}
	if err := o.Cancel(ctx, ci, admitted.TaskID); err != nil {
		return err
	}
	for {
		batch, err := events.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return err
		}
		for _, event := range batch {
			fmt.Println("event:", event.Type)
		}
	}
	task, err = o.Task(ci, admitted.TaskID)
	fmt.Println("task:", task.State)
	return err
}
