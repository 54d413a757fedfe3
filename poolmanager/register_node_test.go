package poolmanager

import "testing"

func TestANodeHasAName(t *testing.T) {
	if id := defaultNodeID(); !nodeIDPattern.MatchString(id) {
		t.Errorf("the default node id is %q", id)
	}
	if first, again := machineID("a"), machineID("a"); first == "" || first != again {
		t.Error("the machine id is not stable")
	}
}
