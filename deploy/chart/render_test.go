package chart_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/engine"
	"sigs.k8s.io/yaml"
)

// namespace and release are what the names in the objects are made of.
const (
	namespace = "ai"
	release   = "llorch"
)

// object is one object of Kubernetes.
type object map[string]any

func (o object) kind() string { return o.text("kind") }
func (o object) name() string { return o.text("metadata", "name") }

// at gives what is at a path of members and list positions; nil where there is nothing.
func (o object) at(path ...any) any {
	value := any(map[string]any(o))
	for _, step := range path {
		switch step := step.(type) {
		case string:
			m, _ := value.(map[string]any)
			value = m[step]
		case int:
			l, _ := value.([]any)
			if step >= len(l) {
				return nil
			}
			value = l[step]
		}
	}
	return value
}

func (o object) text(path ...any) string {
	text, _ := o.at(path...).(string)
	return text
}

func (o object) list(path ...any) []object {
	all, _ := o.at(path...).([]any)
	var out []object
	for _, one := range all {
		m, _ := one.(map[string]any)
		out = append(out, m)
	}
	return out
}

// render renders the chart as helm install does, values' schema included.
func render(values string) ([]object, error) {
	loaded, err := loader.LoadDir("llorch")
	if err != nil {
		return nil, err
	}
	return renderChart(loaded, values)
}

func renderChart(loaded *chart.Chart, values string) ([]object, error) {
	read, err := chartutil.ReadValues([]byte(values))
	if err != nil {
		return nil, err
	}
	options := chartutil.ReleaseOptions{Name: release, Namespace: namespace, Revision: 1, IsInstall: true}
	merged, err := chartutil.ToRenderValues(loaded, read, options, chartutil.DefaultCapabilities)
	if err != nil {
		return nil, err
	}
	strict := engine.Engine{Strict: true}
	files, err := strict.Render(loaded, merged)
	if err != nil {
		return nil, err
	}
	var all []object
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if !strings.HasSuffix(name, ".yaml") {
			continue
		}
		for text := range strings.SplitSeq("\n"+files[name], "\n---\n") {
			var o object
			if err := yaml.UnmarshalStrict([]byte(text), &o); err != nil {
				return nil, err
			}
			if len(o) > 0 {
				all = append(all, o)
			}
		}
	}
	return all, nil
}

// uses are values that people write, by what they want.
var uses = map[string]string{
	"three orchestrators and a worker": image + `
orchestrator: {nodeNetworks: [10.244.0.0/16]}
`,
	"one orchestrator, and workers elsewhere": image + `
orchestrator: {replicas: 1, nodeNetworks: [192.0.2.0/24], secrets: {nodeCA: llorch-ca}}
worker: {replicas: 0}
`,
	"five orchestrators and an engine on GPUs": image + `
imagePullSecrets: [{name: registry}]
orchestrator:
  replicas: 5
  nodeNetworks: [10.244.0.0/16, "fd00::/64"]
  drainMs: 30001
  settings: {admission_capacity: 500}
  storage: {size: 20Gi, storageClassName: fast}
  resources: {requests: {cpu: "1", memory: 1Gi}}
  secrets: {nodeCA: llorch-ca}
worker:
  replicas: 4
  settings:
    templates: [{name: local, base: url, url: "http://127.0.0.1:8000", slots: 32}]
    preload: [{pool_id: local, template: local}]
  engine:
    name: engine
    image: registry.example.com/engine@sha256:0000000000000000000000000000000000000000000000000000000000000000
    args: ["--host", "127.0.0.1"]
    resources: {limits: {nvidia.com/gpu: 1}}
  volumes: [{name: models, emptyDir: {}}]
  resources: {limits: {memory: 2Gi}}
  nodeSelector: {accelerator: nvidia}
  tolerations: [{key: nvidia.com/gpu, operator: Exists, effect: NoSchedule}]
  secrets: {orchestratorCA: llorch-ca}
gateway:
  guard: |
    cors https://chat.example.com
  resources: {requests: {memory: 128Mi}}
networkPolicy:
  clients: [{namespaceSelector: {matchLabels: {team: chat}}}]
  orchestratorEgress: [{to: [{ipBlock: {cidr: 192.0.2.7/32}}], ports: [{port: 443, protocol: TCP}]}]
  workerEgress: [{to: [{ipBlock: {cidr: 192.0.2.8/32}}], ports: [{port: 443, protocol: TCP}]}]
service: {type: LoadBalancer, port: 8443}
`,
}

const image = "image: {repository: registry.example.com/llorch, tag: \"1.2.3\"}\n"

// eachUse renders the chart for each use.
func eachUse(t *testing.T, check func(t *testing.T, all []object)) {
	t.Helper()
	for name, values := range uses {
		t.Run(name, func(t *testing.T) {
			all, err := render(values)
			if err != nil {
				t.Fatal(err)
			}
			check(t, all)
		})
	}
}

// pods are the pod templates of the objects, each as an object of its own.
func pods(all []object) (found []object) {
	for _, o := range all {
		if template, ok := o.at("spec", "template").(map[string]any); ok {
			pod := object{"kind": "Pod", "metadata": template["metadata"], "spec": template["spec"]}
			found = append(found, pod)
		}
	}
	return found
}

func TestValuesThatOpenSomethingAreRefused(t *testing.T) {
	const nodes = "orchestrator: {nodeNetworks: [10.244.0.0/16]}\n"
	for values, want := range map[string]string{
		"": "repository",
		"image: {repository: registry.example.com/llorch, tag: latest}\n" + nodes: "tag",
		image: "nodeNetworks",
		image + nodes + "orchestrators: {replicas: 3}\n":                                                      "orchestrators",
		image + "orchestrator: {nodeNetworks: [10.244.0.0/16], replicas: 2}\n":                                "replicas",
		image + "orchestrator: {nodeNetworks: [everything]}\n":                                                "nodeNetworks",
		image + "orchestrator: {nodeNetworks: [10.244.0.0/16], settings: {addr: \"0.0.0.0:8081\"}}\n":         "orchestrator.settings.addr",
		image + "orchestrator: {nodeNetworks: [10.244.0.0/16], settings: {node_networks: [\"0.0.0.0/0\"]}}\n": "orchestrator.settings.node_networks",
		image + nodes + "worker: {settings: {listen: \"0.0.0.0:9200\"}}\n":                                    "worker.settings.listen",
		image + nodes + "worker: {engine: {name: e, ports: [{containerPort: 8000, hostPort: 8000}]}}\n":       "worker.engine.ports",
		image + nodes + "worker: {engine: {name: e, volumeMounts: [{name: backend, mountPath: /b}]}}\n":       "worker.engine.volumeMounts",
		image + nodes + "networkPolicy: {enabled: false}\n":                                                   "enabled",
		image + nodes + "networkPolicy: {clients: [{}]}\n":                                                    "clients",
		image + "orchestrator: {nodeNetworks: [10.244.0.0/16], secrets: {keyring: \"\"}}\n":                   "keyring",
	} {
		if all, err := render(values); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\ngot %d objects and %v, want an error with %q", values, len(all), err, want)
		}
	}
}
