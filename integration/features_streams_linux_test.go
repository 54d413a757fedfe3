package integration_test

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/cucumber/godog"

	"github.com/llorch/gateway/integration/gatewaytest"
)

func (s *scenario) registerStreams(sc *godog.ScenarioContext) {
	sc.Step(`^the token of "([^"]*)" has an open stream$`, s.openStreamOf)
	sc.Step(`^the stream of "([^"]*)" ends within (\d+) seconds$`, s.streamEnds)
	sc.Step(`^the stream of "([^"]*)" goes on$`, s.streamGoesOn)
}

// openStream is a stream of events that is read while the scenario goes on.
type openStream struct {
	events atomic.Int64
	ended  chan struct{}
	hangUp func()
}

// openStreamOf sends a task that takes longer than the scenario, follows it, and
// returns when tokens have come.
func (s *scenario) openStreamOf(name string) error {
	const longer = 100_000
	client := s.at.As(s.fleet.tokens[name])
	id, err := submit(client, longer)
	if err != nil {
		return err
	}
	stream, err := client.Stream("/v2/tasks/" + id + "/events")
	if err != nil {
		return err
	}
	o := &openStream{ended: make(chan struct{})}
	o.hangUp = func() {
		stream.Close()
		<-o.ended
		_, _ = s.fleet.as("owner").Do("POST", "/v2/tasks/"+id+"/cancel", "")
	}
	s.streams[name] = o
	go o.read(stream)
	return within(soon, func() error { return o.after(0) })
}

func (o *openStream) read(stream *gatewaytest.Stream) {
	defer close(o.ended)
	for {
		if _, err := stream.Next(); err != nil {
			return
		}
		o.events.Add(1)
	}
}

// after is an error until there are more events than before.
func (o *openStream) after(before int64) error {
	select {
	case <-o.ended:
		return errors.New("the stream has ended")
	default:
	}
	if n := o.events.Load(); n <= before {
		return fmt.Errorf("%d events", n)
	}
	return nil
}

func (s *scenario) streamEnds(name string, seconds int) error {
	select {
	case <-s.streams[name].ended:
		return nil
	case <-time.After(time.Duration(seconds) * time.Second):
		return fmt.Errorf("it is open after %d s", seconds)
	}
}

func (s *scenario) streamGoesOn(name string) error {
	o := s.streams[name]
	before := o.events.Load()
	return within(soon, func() error { return o.after(before) })
}
