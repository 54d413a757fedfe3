package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// readyPoll is the interval of the readiness checks.
	readyPoll = 100 * time.Millisecond
	// readyNotice is how often the reason for waiting is repeated.
	readyNotice = 10 * time.Second
	// readyLimit bounds the wait: loading a large model from disk takes minutes.
	readyLimit = 30 * time.Minute
	// readyCall bounds one request, so that a check that hangs is repeated.
	readyCall = 5 * time.Second
	// maxNodesAnswer bounds the response body that is read, in bytes.
	maxNodesAnswer = 1 << 20
)

var readyClient = &http.Client{Timeout: readyCall}

// waitReady blocks until the gateway answers and a pool is ready. It returns the model
// that the pool serves.
func waitReady(ctx context.Context, o upOptions, secrets credentials, notices io.Writer) (model string, err error) {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	poll := time.NewTicker(readyPoll)
	defer poll.Stop()
	pools := nodeapi.New("http://"+o.poolManager, secrets.poolManager.Reveal, readyClient)
	report := &waitReporter{to: notices, log: o.dataDir + "/llorch.log"}
	meter := &progressMeter{to: notices, live: isTerminal(notices)}
	defer meter.end()
	for {
		if model, err = readyModel(ctx, o, secrets.orchestrator); err == nil {
			if err = gatewayAnswers(ctx, o); err == nil {
				return model, nil
			}
		}
		reason, progress, failure, permanent := poolReason(ctx, pools)
		if permanent != nil {
			return "", permanent
		}
		if reason == "" {
			reason = err.Error()
		}
		if !meter.update(time.Now(), progress) || failure {
			meter.end()
			report.update(time.Now(), reason, failure)
		}
		select {
		case <-ctx.Done():
			return "", fmt.Errorf("waiting for the engine: %w", errors.Join(err, ctx.Err()))
		case <-poll.C:
		}
	}
}

// nodesAnswer has the members of GET /v2/nodes that are used here.
type nodesAnswer struct {
	Nodes []struct {
		Pools []struct {
			ModelRef string   `json:"model_ref"`
			Ready    bool     `json:"ready"`
			Models   []string `json:"models"`
		} `json:"pools"`
	} `json:"nodes"`
}

// readyModel asks the orchestrator for a pool that is ready.
func readyModel(ctx context.Context, o upOptions, token authmin.Secret) (string, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+o.orchestrator+"/v2/nodes", nil)
	if err != nil {
		return "", err
	}
	r.Header.Set("Authorization", "Bearer "+token.Reveal())
	resp, err := readyClient.Do(r)
	if err != nil {
		return "", err
	}
	defer resp.Body.Close()
	var answer nodesAnswer
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxNodesAnswer)).Decode(&answer); err != nil {
		return "", fmt.Errorf("reading the orchestrator's nodes: %w", err)
	}
	if len(answer.Nodes) == 0 {
		return "", errors.New("the pool manager has not registered with the orchestrator yet")
	}
	for _, node := range answer.Nodes {
		for _, pool := range node.Pools {
			if !pool.Ready {
				continue
			}
			switch {
			case o.engine == "demo" || o.engine == "llamacpp":
				return pool.ModelRef, nil
			case o.model != "":
				return o.model, nil
			case len(pool.Models) == 0:
				return "", errors.New("the engine has no model yet; give it one (ollama pull NAME), or name one with --model")
			}
			return pool.Models[0], nil
		}
	}
	return "", errors.New("the engine is not ready yet")
}

// gatewayAnswers requests GET /ready through the gateway.
func gatewayAnswers(ctx context.Context, o upOptions) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, o.url()+"/ready", nil)
	if err != nil {
		return err
	}
	resp, err := readyClient.Do(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the gateway answers GET /ready with %s", resp.Status)
	}
	return nil
}
