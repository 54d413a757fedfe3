package gcpace_test

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"runtime/debug"
	"strconv"
	"testing"

	"github.com/llorch/gateway/authmin/gcpace"
)

// asProgram makes the test binary be a program that chooses its pace and prints it; the
// value is the pace that it has before, or 0.
const asProgram = "GCPACE_TEST_PROGRAM"

type pace struct {
	Percent int
	Limit   int64
}

func TestMain(m *testing.M) {
	own := os.Getenv(asProgram)
	if own == "" {
		os.Exit(m.Run())
	}
	if percent, err := strconv.Atoi(own); err == nil && percent > 0 {
		debug.SetGCPercent(percent)
	}
	gcpace.Choose()
	gcpace.Choose()
	if err := json.NewEncoder(os.Stdout).Encode(pace{debug.SetGCPercent(100), debug.SetMemoryLimit(-1)}); err != nil {
		os.Exit(1)
	}
}

func TestWhatTheOperatorSetsWins(t *testing.T) {
	const none = math.MaxInt64
	half := chosen(t, "0").Limit
	if half <= 0 || half == none {
		t.Fatalf("the limit is %d, want half of the memory", half)
	}
	for name, c := range map[string]struct {
		own  string
		env  []string
		want pace
	}{
		"nothing":             {"0", nil, pace{400, half}},
		"an empty GOGC":       {"0", []string{"GOGC="}, pace{400, half}},
		"GOGC":                {"0", []string{"GOGC=50"}, pace{50, none}},
		"no collector":        {"0", []string{"GOGC=off"}, pace{-1, none}},
		"GOMEMLIMIT":          {"0", []string{"GOMEMLIMIT=1GiB"}, pace{400, 1 << 30}},
		"both":                {"0", []string{"GOGC=100", "GOMEMLIMIT=1GiB"}, pace{100, 1 << 30}},
		"no limit":            {"0", []string{"GOMEMLIMIT=off"}, pace{100, none}},
		"no automatic limit":  {"0", []string{"AUTOMEMLIMIT=off"}, pace{100, none}},
		"another share":       {"0", []string{"AUTOMEMLIMIT=0.25"}, pace{400, half / 2}},
		"a program's own":     {"200", nil, pace{200, none}},
		"a share that is not": {"0", []string{"AUTOMEMLIMIT=2"}, pace{100, none}},
	} {
		got := chosen(t, c.own, c.env...)
		if diff := got.Limit - c.want.Limit; got.Percent != c.want.Percent || diff < -1 || diff > 1 { // halves of odd numbers
			t.Errorf("%s: got %+v, want %+v", name, got, c.want)
		}
	}
}

// chosen gives the pace of a process with this environment.
func chosen(t *testing.T, own string, env ...string) (p pace) {
	t.Helper()
	command := exec.Command(os.Args[0])
	command.Env = append(env, asProgram+"="+own)
	out, err := command.Output()
	if err != nil {
		t.Fatalf("%v: %v", env, err)
	}
	if err := json.Unmarshal(out, &p); err != nil {
		t.Fatalf("%v: %s: %v", env, out, err)
	}
	return p
}
