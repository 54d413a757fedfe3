package poolmanager

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"time"

	"github.com/llorch/gateway/poolmanager/adapter"
	"github.com/llorch/gateway/poolmanager/modelref"
	"github.com/llorch/gateway/poolmanager/nodeapi"
)

const (
	// maxModels bounds how many models of one engine are reported.
	maxModels = 256
	// maxModelListBytes bounds an engine's answer to /v1/models.
	maxModelListBytes = 1 << 20
	// modelsPath is where an engine of either dialect lists its models.
	modelsPath = "/v1/models"
)

// timings are the periods of supervision; tests shorten them.
type timings struct {
	readyEvery   time.Duration // between probes of an engine that starts
	liveEvery    time.Duration // three misses at 5 s find a hung engine in 15 s
	liveMisses   int           // failed probes until an engine is restarted
	restartFirst time.Duration // pause before the first restart
	probeLimit   time.Duration // one probe; an engine that computes still answers /health
	bodyLimit    time.Duration // how long a caller may take to send 1 MiB
	minStay      time.Duration // an engine that was loaded is kept for so long
	memoryWait   time.Duration // a task waits so long for others' memory
}

var defaultTimings = timings{
	500 * time.Millisecond, 5 * time.Second, 3, restartFirst, 2 * time.Second, 5 * time.Second, minStay, memoryWait,
}

// prober asks engines over HTTP.
type prober struct {
	http  *http.Client
	limit time.Duration // of one request
}

func (e prober) probe(ctx context.Context, inst *instance) error {
	ctx, cancel := context.WithTimeout(ctx, e.limit)
	defer cancel()
	response, err := e.get(ctx, inst, inst.template.HealthPath)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	// Read to the end, so that the connection is used again.
	if _, err := io.Copy(io.Discard, io.LimitReader(response.Body, maxModelListBytes)); err != nil {
		return fmt.Errorf("probing the engine: %w", nodeapi.Loggable(err))
	}
	if response.StatusCode != http.StatusOK {
		return answered(inst, response)
	}
	return nil
}

func (e prober) models(ctx context.Context, inst *instance) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, e.limit)
	defer cancel()
	response, err := e.get(ctx, inst, modelsPath)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, answered(inst, response)
	}
	var list struct {
		Data []struct {
			ID string `json:"id"`
		} `json:"data"`
	}
	if err := json.NewDecoder(io.LimitReader(response.Body, maxModelListBytes)).Decode(&list); err != nil {
		return nil, fmt.Errorf("reading the engine's models at %s%s: %w", inst.base, modelsPath, err)
	}
	names, unusable := []string{}, []string{}
	for _, m := range list.Data {
		switch usable := modelref.ValidName(m.ID); {
		case !usable || len(names) == maxModels:
			unusable = append(unusable, m.ID)
		default:
			names = append(names, m.ID)
		}
	}
	slices.Sort(unusable) // their order may change each time
	inst.unusable = unusable
	return names, nil
}

// errEngineBusy is the answer of an engine that runs but takes no request now, or still
// loads: 429 and 503. A restart would end its running tasks.
var errEngineBusy = errors.New("the engine is busy")

// busyLimit is for how long a ready engine may answer its probes with errEngineBusy. A
// server whose worker process has died may give that answer for ever.
const busyLimit = 2 * time.Minute

// probes counts the failed probes of a ready engine.
type probes struct {
	misses int
	busy   time.Time // since when it answers errEngineBusy; zero when it does not
}

// judge takes the result of each probe; a failure that it returns ends the engine.
func (c *probes) judge(err error, now time.Time, most int) *failure {
	switch {
	case err == nil:
		*c = probes{}
	case errors.Is(err, errEngineBusy):
		if c.misses = 0; c.busy.IsZero() {
			c.busy = now
		}
		if now.Sub(c.busy) >= busyLimit {
			return &failure{ReasonHealth, fmt.Sprintf("busy for %v: %v", busyLimit, err)}
		}
	default:
		c.busy = time.Time{}
		if c.misses++; c.misses >= most {
			return &failure{ReasonHealth, fmt.Sprintf("%d probes failed: %v", c.misses, err)}
		}
	}
	return nil
}

// answered is the error for an engine that answers with another status than 200. It
// names the address, which may be the wrong one.
func answered(inst *instance, response *http.Response) error {
	err := fmt.Errorf("asking the engine at %s: it answered %d", response.Request.URL.Redacted(), response.StatusCode)
	switch {
	case response.StatusCode == http.StatusUnauthorized || response.StatusCode == http.StatusForbidden:
		err = fmt.Errorf("%w; it refused the key; check url_key_file", err)
	case response.StatusCode == http.StatusNotFound && inst.process == nil:
		err = fmt.Errorf("%w; url wants the server's address alone, and health_path what answers 200 there", err)
	case response.StatusCode == http.StatusTooManyRequests || response.StatusCode == http.StatusServiceUnavailable:
		err = fmt.Errorf("%w: %w", errEngineBusy, err)
	case response.StatusCode/100 == 3:
		err = fmt.Errorf("%w, redirects are not followed", err)
	}
	return err
}

func (e prober) get(ctx context.Context, inst *instance, path string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, inst.base+path, nil)
	if err != nil {
		return nil, fmt.Errorf("probing the engine: %w", err)
	}
	adapter.Authorize(request, inst.secret())
	response, err := e.http.Do(request)
	if err != nil {
		return nil, fmt.Errorf("probing the engine: %w", nodeapi.Loggable(err)) // with the URL: see url.Error
	}
	return response, nil
}
