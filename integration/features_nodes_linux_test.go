package integration_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"syscall"

	"github.com/cucumber/godog"
	"github.com/llorch/gateway/integration/testkit"
)

func (s *scenario) registerNodes(sc *godog.ScenarioContext) {
	sc.Step(`^the node "([^"]*)" is "([^"]*)"$`, func(id, state string) error { return s.nodeIs(id, state, soon) })
	sc.Step(`^the node "([^"]*)" is "([^"]*)" within (\d+) seconds$`, s.nodeIs)
	sc.Step(`^the node "([^"]*)" is not listed$`, s.nodeIsNotListed)
	sc.Step(`^the owner of the node "([^"]*)" is "([^"]*)"$`, s.nodeIsOwned)
	sc.Step(`^the nodes "([^"]*)" are online$`, func(names string) error { return s.fleet.online(strings.Split(names, ", ")...) })
	sc.Step(`^the node "([^"]*)" is (stopped|killed)$`, s.endNode)
	sc.Step(`^the node "([^"]*)" is started$`, s.startNode)
	sc.Step(`^I run (\d+) tasks at once for the model "([^"]*)"$`, s.runTasks)
	sc.Step(`^each task ended with "([^"]*)"$`, s.eachEnded)
	sc.Step(`^the tasks ran on the nodes "([^"]*)"$`, s.ranOn)
}

// listedNode is one of GET /v2/nodes.
type listedNode struct {
	NodeID string `json:"node_id"`
	Owner  string `json:"owner"`
	State  string `json:"state"`
	Pools  []struct {
		Ready bool `json:"ready"`
	} `json:"pools"`
}

// node asks the orchestrator for a node, nil for one that is not listed.
func (f *fleet) node(id string) (*listedNode, error) {
	res, err := f.as("owner").Do("GET", "/v2/nodes", "")
	if err != nil {
		return nil, err
	}
	var list struct {
		Nodes []listedNode `json:"nodes"`
	}
	if res.Status != 200 {
		return nil, fmt.Errorf("GET /v2/nodes: %d: %s", res.Status, res.Body)
	}
	if err := res.JSON(&list); err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(list.Nodes, func(n listedNode) bool { return n.NodeID == id }); i >= 0 {
		return &list.Nodes[i], nil
	}
	return nil, nil
}

// online waits until nodes are online with a pool that is ready.
func (f *fleet) online(names ...string) error {
	return testkit.Poll(startLimit, func() error {
		for _, name := range names {
			n, err := f.node(name)
			if err != nil {
				return err
			}
			if n == nil || n.State != "online" || len(n.Pools) == 0 || !n.Pools[0].Ready {
				return fmt.Errorf("%s is not online and ready: %+v", name, n)
			}
		}
		return nil
	})
}

func (s *scenario) nodeIs(id, state string, seconds int) error {
	return within(seconds, func() error {
		n, err := s.fleet.node(id)
		if err == nil && (n == nil || n.State != state) {
			err = fmt.Errorf("node %s: %+v, want it %s", id, n, state)
		}
		return err
	})
}

func (s *scenario) nodeIsNotListed(id string) error {
	return within(soon, func() error {
		n, err := s.fleet.node(id)
		if err == nil && n != nil {
			err = fmt.Errorf("node %s is listed: %+v", id, n)
		}
		return err
	})
}

func (s *scenario) nodeIsOwned(id, owner string) error {
	n, err := s.fleet.node(id)
	if err == nil && (n == nil || n.Owner != owner) {
		err = fmt.Errorf("node %s: %+v, want it to belong to %s", id, n, owner)
	}
	return err
}

func (s *scenario) endNode(name, how string) error {
	p, ok := s.fleet.processes[name]
	if !ok {
		return fmt.Errorf("there is no process %q to be %s", name, how)
	}
	if how == "stopped" {
		return p.Stop()
	}
	if err := p.Signal(syscall.SIGKILL); err != nil {
		return err
	}
	<-p.Exited()
	return nil
}

func (s *scenario) startNode(name string) { s.fleet.startNode(name) }

// taskRun is how a task went.
type taskRun struct {
	last string // its last event
	node string // where it ran, as its record says
	err  error
}

// runTasks sends tasks of "ci" and follows all of them to their ends.
func (s *scenario) runTasks(n int, model string) error {
	s.ran = make([]taskRun, n)
	var all sync.WaitGroup
	for i := range s.ran {
		all.Go(func() { s.ran[i] = s.fleet.runTask(model) })
	}
	all.Wait()
	return nil
}

func (f *fleet) runTask(model string) (run taskRun) {
	client := f.as("ci")
	var task struct {
		TaskID string `json:"task_id"`
		NodeID string `json:"node_id"`
	}
	res, err := client.Do("POST", "/v2/tasks", taskFor(model, 8))
	if err == nil {
		err = res.JSON(&task)
	}
	if err != nil || res.Status != 202 {
		return taskRun{err: fmt.Errorf("sending a task: %d, %w", res.Status, err)}
	}
	stream, err := client.Stream("/v2/tasks/" + task.TaskID + "/events")
	if err != nil {
		return taskRun{err: err}
	}
	events, err := stream.All()
	if err != nil || len(events) == 0 {
		return taskRun{err: fmt.Errorf("following a task: %d events, %w", len(events), err)}
	}
	res, err = client.Do("GET", "/v2/tasks/"+task.TaskID, "")
	if err == nil {
		err = res.JSON(&task)
	}
	return taskRun{last: events[len(events)-1].Type, node: task.NodeID, err: err}
}

func (s *scenario) eachEnded(want string) error {
	if len(s.ran) == 0 {
		return fmt.Errorf("no task was run")
	}
	for _, run := range s.ran {
		if run.err != nil || run.last != want {
			return fmt.Errorf("a task ended with %q: %w", run.last, run.err)
		}
	}
	return nil
}

func (s *scenario) ranOn(names string) error {
	var got []string
	for _, run := range s.ran {
		got = append(got, run.node)
	}
	slices.Sort(got)
	if got := strings.Join(slices.Compact(got), ", "); got != names {
		return fmt.Errorf("the tasks ran on %q, want %q", got, names)
	}
	return nil
}
