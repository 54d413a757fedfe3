package chart_test

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"
)

// The schemas are those of this version of Kubernetes, from its module: the module proxy
// has it where a machine has no other way out.
const (
	kubernetes    = "k8s.io/kubernetes@v1.36.3"
	kubernetesSum = "h1:qDQdoMiluAE2Eab6Fa52YV+WjiGz9mZFFoagEA6cI+o="
)

// schemaFiles are the files of the schemas, by apiVersion.
var schemaFiles = map[string]string{
	"v1":                   "api__v1_openapi.json",
	"apps/v1":              "apis__apps__v1_openapi.json",
	"policy/v1":            "apis__policy__v1_openapi.json",
	"networking.k8s.io/v1": "apis__networking.k8s.io__v1_openapi.json",
}

// schemaFolder fetches the module, once.
var schemaFolder = sync.OnceValues(func() (string, error) {
	out, err := exec.Command("go", "mod", "download", "-json", kubernetes).Output()
	if err != nil {
		return "", fmt.Errorf("fetching %s: %w: %s", kubernetes, err, out)
	}
	var module struct{ Dir, Sum string }
	if err := json.Unmarshal(out, &module); err != nil {
		return "", err
	}
	if module.Sum != kubernetesSum {
		return "", fmt.Errorf("%s has the sum %s, want %s", kubernetes, module.Sum, kubernetesSum)
	}
	return filepath.Join(module.Dir, "api", "openapi-spec", "v3"), nil
})

// readSchemas reads the schemas of an apiVersion. A member that they do not name is an
// error, as for kubectl apply --validate=strict.
func readSchemas(apiVersion string) (document any, err error) {
	dir, err := schemaFolder()
	if err != nil {
		return nil, err
	}
	file, ok := schemaFiles[apiVersion]
	if !ok {
		return nil, fmt.Errorf("no schema is named for apiVersion %q", apiVersion)
	}
	f, err := os.Open(filepath.Join(dir, file))
	if err != nil {
		return nil, err
	}
	defer f.Close()
	if document, err = jsonschema.UnmarshalJSON(f); err != nil {
		return nil, err
	}
	all, _ := object(document.(map[string]any)).at("components", "schemas").(map[string]any)
	for _, one := range all {
		schema := one.(map[string]any)
		if _, ok := schema["properties"]; ok && schema["additionalProperties"] == nil {
			schema["additionalProperties"] = false
		}
	}
	return document, nil
}

// schemaOf compiles the schema of a kind of object.
func schemaOf(apiVersion, kind string) (*jsonschema.Schema, error) {
	document, err := readSchemas(apiVersion)
	if err != nil {
		return nil, err
	}
	all, _ := object(document.(map[string]any)).at("components", "schemas").(map[string]any)
	for name, one := range all {
		if !strings.HasSuffix(name, "."+kind) || object(one.(map[string]any)).at("x-kubernetes-group-version-kind") == nil {
			continue
		}
		compiler := jsonschema.NewCompiler()
		if err := compiler.AddResource("k8s.json", document); err != nil {
			return nil, err
		}
		return compiler.Compile("k8s.json#/components/schemas/" + name)
	}
	return nil, fmt.Errorf("apiVersion %s has no schema of %s", apiVersion, kind)
}

// check compares an object with its schema.
func (o object) check() error {
	schema, err := schemaOf(o.text("apiVersion"), o.kind())
	if err != nil {
		return err
	}
	text, err := json.Marshal(o)
	if err != nil {
		return err
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	return schema.Validate(value)
}

func TestObjectsFitTheSchemasOfKubernetes(t *testing.T) {
	eachUse(t, func(t *testing.T, all []object) {
		if len(all) < 5 {
			t.Errorf("only %d objects", len(all))
		}
		for _, o := range all {
			if err := o.check(); err != nil {
				t.Errorf("%s %s: %v", o.kind(), o.name(), err)
			}
		}
	})
}

func TestTheSchemasRefuse(t *testing.T) {
	for name, o := range map[string]object{
		"a member that is misspelled": {"apiVersion": "v1", "kind": "Service", "spec": map[string]any{"selectors": map[string]any{}}},
		"a member that is missing":    {"apiVersion": "apps/v1", "kind": "StatefulSet", "spec": map[string]any{"serviceName": "x"}},
		"a member of another type":    {"apiVersion": "v1", "kind": "Service", "spec": map[string]any{"clusterIP": 1}},
		"a kind that is not there":    {"apiVersion": "v1", "kind": "Servise"},
		"a version that is not there": {"apiVersion": "v2", "kind": "Service"},
	} {
		if err := o.check(); err == nil {
			t.Errorf("%s was accepted", name)
		}
	}
}
