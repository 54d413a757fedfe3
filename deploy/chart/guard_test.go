package chart_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
)

// ours are the programs of the image; any other container is the engine.
var ours = []string{"gateway", "orchestratord", "poolmanagerd"}

func TestPodsHaveNoPrivileges(t *testing.T) {
	eachUse(t, func(t *testing.T, all []object) {
		for _, pod := range pods(all) {
			for path, want := range map[string]any{
				"automountServiceAccountToken": false, "enableServiceLinks": false,
				"securityContext.runAsNonRoot": true, "securityContext.seccompProfile.type": "RuntimeDefault",
				"hostNetwork": nil, "hostPID": nil, "hostIPC": nil,
			} {
				if got := pod.at(slices.Concat([]any{"spec"}, steps(path))...); got != want {
					t.Errorf("%s: %s is %v, want %v", pod.text("metadata", "labels", "app.kubernetes.io/component"), path, got, want)
				}
			}
			for _, c := range pod.list("spec", "containers") {
				if !slices.Contains(ours, c.text("name")) {
					continue
				}
				for path, want := range map[string]any{
					"securityContext.allowPrivilegeEscalation": false, "securityContext.readOnlyRootFilesystem": true,
					"securityContext.privileged": nil,
				} {
					if got := c.at(steps(path)...); got != want {
						t.Errorf("%s: %s is %v, want %v", c.text("name"), path, got, want)
					}
				}
				if drop := fmt.Sprint(c.at("securityContext", "capabilities", "drop")); drop != "[ALL]" {
					t.Errorf("%s drops the capabilities %s", c.text("name"), drop)
				}
				if c.at("livenessProbe", "exec", "command") == nil || c.at("startupProbe") == nil {
					t.Errorf("%s has no probe of its start or its life", c.text("name"))
				}
			}
			if ready := pod.text("spec", "containers", 0, "readinessProbe", "httpGet", "path"); ready != "/ready" {
				t.Errorf("the gateway's readiness is %q", ready)
			}
		}
	})
}

func steps(path string) (out []any) {
	for step := range strings.SplitSeq(path, ".") {
		out = append(out, step)
	}
	return out
}

// A Secret that is mounted as a directory follows its changes; a subPath, a variable or
// an argument never does. None is made here, where it would be in the release's record.
func TestSecretsAreDirectories(t *testing.T) {
	eachUse(t, func(t *testing.T, all []object) {
		for _, o := range all {
			if o.kind() == "Secret" {
				t.Errorf("the chart makes the Secret %s", o.name())
			}
		}
		for _, pod := range pods(all) {
			secret := map[string]bool{}
			for _, v := range pod.list("spec", "volumes") {
				if v.at("secret") == nil {
					continue
				}
				secret[v.text("name")] = true
				if mode := fmt.Sprint(v.at("secret", "defaultMode")); mode != fmt.Sprint(0o440) {
					t.Errorf("%s has the mode %s", v.text("name"), mode)
				}
			}
			for _, c := range pod.list("spec", "containers") {
				for _, m := range c.list("volumeMounts") {
					if m.at("subPath") != nil || m.at("subPathExpr") != nil || secret[m.text("name")] && m.at("readOnly") != true {
						t.Errorf("%s mounts %v", c.text("name"), m)
					}
				}
				for _, e := range c.list("env") {
					if e.at("valueFrom", "secretKeyRef") != nil {
						t.Errorf("%s has a secret in the variable %s", c.text("name"), e.text("name"))
					}
				}
			}
			if len(secret) < 3 {
				t.Errorf("only %d secrets are mounted", len(secret))
			}
		}
	})
}

// matches reports whether a pod has the labels that a selector asks for.
func matches(selector object, pod object) bool {
	want, _ := selector.at("matchLabels").(map[string]any)
	for key, value := range want {
		if pod.at("metadata", "labels", key) != value {
			return false
		}
	}
	return len(want) > 0
}

func TestNothingButAGatewayIsReached(t *testing.T) {
	eachUse(t, func(t *testing.T, all []object) {
		for _, pod := range pods(all) {
			component := pod.text("metadata", "labels", "app.kubernetes.io/component")
			var policies []object
			for _, o := range all {
				if o.kind() == "NetworkPolicy" && matches(o.at("spec", "podSelector").(map[string]any), pod) {
					policies = append(policies, o)
				}
			}
			if len(policies) != 1 || fmt.Sprint(policies[0].at("spec", "policyTypes")) != "[Ingress Egress]" {
				t.Fatalf("%s has %d policies, want one for both directions", component, len(policies))
			}
			for _, rule := range policies[0].list("spec", "ingress") {
				checkIngress(t, component, rule)
			}
			for _, rule := range policies[0].list("spec", "egress") {
				if ports := portsOf(rule); rule.at("to") == nil && ports != "53/TCP 53/UDP" {
					t.Errorf("%s may send to all addresses on %s", component, ports)
				}
			}
			checkPorts(t, component, pod)
		}
	})
}

// checkIngress refuses a rule that lets in more than a gateway's port, or routes from
// other than orchestrators. Workers are asked by orchestrators alone.
func checkIngress(t *testing.T, component string, rule object) {
	t.Helper()
	from := rule.list("from")
	if len(from) == 0 {
		t.Errorf("%s may be asked by all addresses", component)
	}
	peers := map[string]bool{}
	for _, peer := range from {
		peers[peer.text("podSelector", "matchLabels", "app.kubernetes.io/component")] = true
	}
	onlyOrchestrators := len(peers) == 1 && peers["orchestrator"]
	switch ports := portsOf(rule); {
	case ports == "8443/TCP" && component == "orchestrator":
	case ports == "8443/TCP" && component == "worker" && onlyOrchestrators:
	case ports == "6222/TCP" && component == "orchestrator" && onlyOrchestrators:
	default:
		t.Errorf("%s may be reached on %s by %v", component, ports, slices.Sorted(maps.Keys(peers)))
	}
}

func portsOf(rule object) string {
	var all []string
	for _, p := range rule.list("ports") {
		all = append(all, fmt.Sprintf("%v/%s", p.at("port"), p.text("protocol")))
	}
	slices.Sort(all)
	return strings.Join(all, " ")
}

// checkPorts refuses a port of a backend: it listens on the pod's loopback.
func checkPorts(t *testing.T, component string, pod object) {
	t.Helper()
	for _, c := range pod.list("spec", "containers") {
		for _, p := range c.list("ports") {
			if port := fmt.Sprint(p.at("containerPort")); port != "8443" && port != "6222" || p.at("hostPort") != nil {
				t.Errorf("%s: %s has the port %s", component, c.text("name"), port)
			}
		}
	}
}

func TestOnePodIsReplacedAtATime(t *testing.T) {
	eachUse(t, func(t *testing.T, all []object) {
		budgets := 0
		for _, o := range all {
			if o.kind() == "PodDisruptionBudget" && fmt.Sprint(o.at("spec", "maxUnavailable")) == "1" {
				budgets++
			}
			if o.kind() != "StatefulSet" {
				continue
			}
			if o.text("spec", "podManagementPolicy") != "Parallel" {
				t.Errorf("%s starts one pod after the other: the first has no quorum, and waits for ever", o.name())
			}
			if o.text("spec", "updateStrategy", "type") != "RollingUpdate" {
				t.Errorf("%s is not updated one by one", o.name())
			}
		}
		if want := len(pods(all)); budgets != want {
			t.Errorf("%d disruption budgets, want %d", budgets, want)
		}
	})
}
