//go:build rolling

package rolling_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// maxStops is how often the leader is stopped so that the older one leads. Where that
// never comes, the test says so and still checks the rest.
const maxStops = 3

// back gives one replica the older program again, under load, and makes it the leader
// while native calls wait. It must not destroy them: they run when a newer one leads
// again, and one of them can be canceled meanwhile.
func (f *fleet) back(older, newer *release) {
	f.t.Helper()
	l := f.begin()
	first := f.replicas[0]
	f.change(first, older)
	for range maxStops { // leadership goes to one of the two others at a stop
		if at := slices.IndexFunc(f.replicas, func(x *replica) bool { return x.name == f.leader() }); at > 0 {
			f.change(f.replicas[at], newer)
		}
	}
	leads := f.leader()
	var waiting []string
	for range 3 {
		var admission struct {
			ID string `json:"task_id"`
		}
		// Until the nodes have registered again at a replica that was replaced, it is 503.
		testkit.Within(f.t, startLimit, "a native call, while "+leads+" leads", func() error {
			return f.at(f.replicas[1]).post("/v2/tasks", nativeTask, &admission)
		})
		waiting = append(waiting, admission.ID)
	}
	canceled := waiting[0]
	if err := f.at(f.replicas[1]).post("/v2/tasks/"+canceled+"/cancel", "", nil); err != nil {
		f.t.Errorf("canceling a native call: %v", err)
	}
	f.change(first, newer)
	l.end()
	f.t.Logf("while %s led, %v were sent", leads, waiting)
	for _, id := range waiting[1:] {
		f.completed(&task{id: id, native: true})
	}
	testkit.Within(f.t, 10*time.Second, "the canceled call has ended", func() error {
		var record struct{ State string }
		err := f.at(f.replicas[1]).get("/v2/tasks/"+canceled, &record)
		if err == nil && record.State != "canceled" && record.State != "completed" {
			err = fmt.Errorf("it is %s", record.State)
		}
		return err
	})
	l.judge()
	f.servesNative()
}

// leader is the name of the replica that schedules: the one that last logged so.
func (f *fleet) leader() (name string) {
	f.t.Helper()
	testkit.Within(f.t, startLimit, "a replica leads", func() error {
		var last time.Time
		for _, x := range f.replicas {
			for line := range strings.Lines(x.process.Output()) {
				var said struct {
					Time time.Time
					Msg  string
				}
				if strings.Contains(line, "leadership acquired") && json.Unmarshal([]byte(line), &said) == nil && said.Time.After(last) {
					name, last = x.name, said.Time
				}
			}
		}
		if name == "" {
			return errors.New("none says so")
		}
		return nil
	})
	return name
}
