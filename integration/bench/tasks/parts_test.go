package tasks_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/integration/gatewaytest"
	"github.com/llorch/gateway/integration/testkit"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// startLimit is how long a part may take to answer on a busy machine.
const startLimit = 60 * time.Second

// orchestratord is a running one.
type orchestratord struct {
	*gatewaytest.Process
	address, token, upstream string
}

func startOrchestrator(b *testing.B, env ...string) *orchestratord {
	b.Helper()
	return startOrchestratorOf(b, "", env...)
}

// startOrchestratorOf runs the program of a folder, see daemon.
func startOrchestratorOf(b *testing.B, from string, env ...string) *orchestratord {
	b.Helper()
	o := &orchestratord{
		address: testkit.FreeAddress(b),
		token:   authmin.RandomSecret().Reveal(), upstream: authmin.RandomSecret().Reveal(),
	}
	o.Process = daemon(b, from, "orchestratord", append(env, "ORCHD_ADDR="+o.address, "ORCHD_STATE_DIR="+b.TempDir(),
		"LLORCH_API_TOKEN="+o.token, "LLORCH_UPSTREAM_TOKEN="+o.upstream))
	o.Listening(b, o.address)
	testkit.Within(b, startLimit, "the orchestrator", func() error { return o.call(http.MethodGet, "/v2/meta/version", nil, nil) })
	return o
}

// call sends a request with the service's own token and reads a JSON answer.
func (o *orchestratord) call(method, path string, body, into any) error {
	var text []byte
	if body != nil {
		var err error
		if text, err = json.Marshal(body); err != nil {
			return err
		}
	}
	r, err := http.NewRequest(method, "http://"+o.address+path, bytes.NewReader(text))
	if err != nil {
		return err
	}
	r.Header.Set("Authorization", "Bearer "+o.token)
	r.Header.Set("Content-Type", "application/json")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		return err
	}
	defer answer.Body.Close()
	got, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode/100 != 2 {
		return fmt.Errorf("%s %s: %d %s, %v", method, path, answer.StatusCode, got, err)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(got, into)
}

// register registers a node for the model demo with that many slots. Nothing listens
// at its address.
func (o *orchestratord) register(b *testing.B, slots int) {
	b.Helper()
	err := o.call(http.MethodPost, "/v2/nodes/register", nodeapi.RegisterRequest{
		NodeID: "unreachable", MachineID: "m", Address: "http://127.0.0.1:9", Version: "1", DispatchToken: authmin.RandomSecret().Reveal(),
		Pools: []nodeapi.Pool{{PoolID: "p", Engine: "demo", ModelRef: "demo", Ready: true, SlotsFree: slots, SlotsTotal: slots, Models: []string{"demo"}}},
	}, nil)
	if err != nil {
		b.Fatal(err)
	}
}
