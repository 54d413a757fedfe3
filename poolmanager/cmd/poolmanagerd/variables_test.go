package main

import (
	"strings"
	"testing"
)

func TestAnUnknownVariableIsRefusedByName(t *testing.T) {
	for pair, want := range map[string]string{
		"POOL_MANAGERD_ADRESS=hunter2":                   "did you mean POOL_MANAGERD_ADDRESS?",
		"POOL_MANAGERD_ADR=hunter2":                      "did you mean POOL_MANAGERD_ADDR?",
		"POOL_MANAGERD_RUNTIMEDIR=hunter2":               "did you mean POOL_MANAGERD_RUNTIME_DIR?",
		"POOL_MANAGERD_MODEL=hunter2":                    "POOL_MANAGERD_MODEL_ROOT",
		"POOL_MANAGERD_SLOTS=hunter2":                    "unset it. The nearest are POOL_MANAGERD_ADDR",
		"POOL_MANAGERD_ADDR_FILE=hunter2":                "unset it. The nearest are POOL_MANAGERD_",
		"POOL_MANAGERD_TOKEN=hunter2":                    "unset it. The nearest are POOL_MANAGERD_",
		"POOL_MANAGERD_PORT=9300":                        "unset it. The nearest are POOL_MANAGERD_",
		"POOL_MANAGERD_=hunter2":                         "unset it. The nearest are POOL_MANAGERD_",
		"pool_managerd_addr=hunter2":                     "did you mean POOL_MANAGERD_ADDR?",
		"POOLMANAGERD_ADDR=hunter2":                      "did you mean POOL_MANAGERD_ADDR?",
		"POOL_MANAGER_ADDR=hunter2":                      "did you mean POOL_MANAGERD_ADDR?",
		"ORCHESTRATORD_UR=hunter2":                       "did you mean ORCHESTRATORD_URL?",
		"ORCHESTRATOR_URL=hunter2":                       "did you mean ORCHESTRATORD_URL?",
		"LLORCH_API_TOKEN_FIL=hunter2":                   "did you mean LLORCH_API_TOKEN_FILE?",
		"LLORCH_UPSTREAM_TOKN=hunter2":                   "did you mean LLORCH_UPSTREAM_TOKEN?",
		"POOL_MANAGERD_ADDR=x":                           "",
		"POOL_MANAGERD_DISPATCH_TOKEN_FILE=x":            "",
		"ORCHESTRATORD_PLACEMENT_STRATEGY=x":             "",
		"ORCHESTRATORD_NODE_TIMEOUT_MS=x":                "",
		"ORCHD_ADDR=x":                                   "",
		"POOL_MANAGER_TOKEN=x":                           "",
		"POOL_MANAGER_TOKEN_FILE=x":                      "",
		"LLORCH_NODE_TOKEN=x":                            "",
		"XDG_RUNTIME_DIRS=x":                             "",
		"POOL_MANAGERD_SERVICE_HOST=10.0.0.1":            "",
		"POOL_MANAGERD_SERVICE_PORT_HTTP=9200":           "",
		"POOL_MANAGERD_PORT=tcp://10.0.0.1:9200":         "",
		"POOL_MANAGERD_PORT_9200_TCP=tcp://10.0.0.1:920": "",
		"PATH=/bin": "",
	} {
		name, _, _ := strings.Cut(pair, "=")
		p := program()
		p.Environ = func() []string { return []string{"HOME=/", pair} }
		err := p.CheckVariables()
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: got %v, want it taken", name, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), `environment: unknown variable "`+name+`"; `) || strings.Contains(err.Error(), "hunter2")):
			t.Errorf("%s: got %v, want %q", name, err, want)
		}
	}
}
