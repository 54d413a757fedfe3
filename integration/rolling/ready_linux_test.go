//go:build rolling

package rolling_test

import (
	"fmt"
	"net/http"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
)

// restart is `systemctl restart` of a replica with its unit: SIGTERM, SIGKILL after
// TimeoutStopSec, the check before the start, the start. Then it waits for GET /ready, and
// for nothing else.
func (f *fleet) restart(x *replica, to *release, u unit) {
	f.t.Helper()
	begin := time.Now()
	if err := x.process.Signal(syscall.SIGTERM); err != nil {
		f.t.Fatalf("stopping %s: %v", x.name, err)
	}
	select {
	case <-x.process.Exited():
	case <-time.After(u.stopLimit):
		f.t.Errorf("%s is killed after TimeoutStopSec, %s", x.name, u.stopLimit)
		_ = x.process.Signal(syscall.SIGKILL)
		<-x.process.Exited()
	}
	if code := x.process.ExitCode(); code != 0 {
		f.t.Errorf("%s ended with code %d", x.name, code)
	}
	stopped := time.Since(begin)
	check := exec.Command(to.orchestratord, u.check...)
	check.Env = append(x.env, u.env...)
	if out, err := check.CombinedOutput(); err != nil {
		f.t.Fatalf("the check before the start of %s: %v\n%s", x.name, err, out)
	}
	x.run(f.t, to, to.orchestratord, append(x.env, u.env...))
	f.ready(x)
	var list any
	if err := f.at(x).get("/v2/tasks?limit=1", &list); err != nil {
		f.t.Errorf("%s is ready, and does not serve: %v", x.name, err)
	}
	f.t.Logf("%s has stopped after %s and is ready after %s", x.name, stopped.Round(time.Millisecond), time.Since(begin).Round(time.Millisecond))
}

// ready waits until GET /ready of the replica is 200.
func (f *fleet) ready(x *replica) {
	f.t.Helper()
	testkit.Within(f.t, startLimit, x.name+" is ready", func() error {
		res, err := http.Get("http://" + x.address + "/ready")
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("status %d", res.StatusCode)
		}
		return nil
	})
}

// byReadiness restarts the replicas one after the other under load, each when the one
// before is ready, and tells the longest time without an admission.
func (f *fleet) byReadiness(to *release) {
	f.t.Helper()
	u := readUnit(f.t)
	l := f.begin()
	a := gatewaytest.Admit(func(int) (string, error) {
		id, err := l.submit(strings.Replace(promptTask, `"max_tokens":30`, `"max_tokens":1`, 1))
		if err != nil {
			l.fail(fmt.Errorf("submitting: %w", err))
		}
		return id, err
	})
	for _, x := range f.replicas {
		f.restart(x, to, u)
	}
	admitted, gap := a.End()
	l.end()
	l.judge()
	f.t.Logf("%d tasks in a row were admitted while three replicas were restarted; the longest time without an admission: %s",
		len(admitted), gap.Round(time.Millisecond))
	for _, id := range admitted {
		f.completed(&task{id: id})
	}
}
