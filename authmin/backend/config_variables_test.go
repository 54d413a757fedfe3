package backend

import (
	"strings"
	"testing"
)

func TestAVariableThatLooksLikeOursIsRefusedByName(t *testing.T) {
	v := Variables{
		Program: "thingd", Prefixes: []string{"THINGD_"}, Others: []string{"THINGD_OTHER"},
		Known: []string{"THINGD_ADDR", "THINGD_MODEL_ROOT", "THINGD_MODEL_HOSTS", "LLORCH_API_TOKEN", "LLORCH_API_TOKEN_FILE"},
	}
	for pair, want := range map[string]string{
		"THINGD_ADRR=hunter2":                        "did you mean THINGD_ADDR? Correct or unset it",
		"THIGND_MDOEL_ROOT=hunter2":                  "did you mean THINGD_MODEL_ROOT?", // two neighbors exchanged, twice
		"thingd_addr=hunter2":                        "did you mean THINGD_ADDR?",
		"THNGD_ADDR=hunter2":                         "did you mean THINGD_ADDR?",
		"THINGD_MODEL=hunter2":                       "did you mean THINGD_MODEL_ROOT?",
		"THINGD_SLOTS=hunter2":                       "unset it. The nearest are THINGD_ADDR, THINGD_MODEL_",
		"THINGD_SLOTS\n=hunter2":                     `"THINGD_SLOTS\n"`,
		"THINGD_" + strings.Repeat("X", 5000) + "=1": "thingd --help lists all",
		"LLORCH_API_TOKN=hunter2":                    "did you mean LLORCH_API_TOKEN?",
		"LLORCH_API_TOKEN_FIEL=hunter2":              "did you mean LLORCH_API_TOKEN_FILE?",
		"THINGD_PORT=80":                             "unset it",
		"THINGD_PORT=tcp://10.0.0.1:80":              "",
		"THINGD_SERVICE_HOST=10.0.0.1":               "",
		"THINGD_SERVICE_PORT_HTTP=80":                "",
		"THINGD_PORT_80_TCP_ADDR=10.0.0.1":           "",
		"THINGD_OTHER=x":                             "",
		"THINGD_ADDR=x":                              "",
		"MY_THINGD_VARIABLE=x":                       "",
		"PATH=/bin":                                  "",
	} {
		name, _, _ := strings.Cut(pair, "=")
		err := v.Check([]string{"A=1", pair})
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: got %v, want it taken", name, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hunter2") || len(err.Error()) > 250):
			t.Errorf("%.60s: got %v, want a short line with %q and no value", name, err, want)
		}
	}
}
