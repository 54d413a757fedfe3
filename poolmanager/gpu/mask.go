package gpu

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

const (
	// maxMask bounds a mask, as maxGPUs bounds what a node has.
	maxMask = maxGPUs
	// minIDPrefix is GPU- and four digits: shorter ones are ambiguous.
	minIDPrefix = 8
)

// maskEntry is what a mask may name: an index, or a device's or an instance's
// id or its beginning ("GPU-8932f937", "MIG-feb88891-…", "MIG-GPU-8932f937-…/1/2").
var maskEntry = regexp.MustCompile(`^([0-9]{1,3}|(GPU|MIG)-[0-9A-Za-z][0-9A-Za-z/-]{3,79})$`)

// ParseMask reads a mask as CUDA_VISIBLE_DEVICES spells it; an empty one names
// no device, which leaves the choice to the engine.
func ParseMask(mask string) ([]string, error) {
	if mask == "" {
		return nil, nil
	}
	list := strings.Split(mask, ",")
	return list, CheckMask(list)
}

// CheckMask refuses a list that no mask can have.
func CheckMask(list []string) error {
	if len(list) > maxMask {
		return fmt.Errorf("more than %d devices", maxMask)
	}
	for i, name := range list {
		if !maskEntry.MatchString(name) {
			return fmt.Errorf("%.90q is not an index (0), nor a device's id (GPU-…, MIG-…)", name)
		}
		if slices.Contains(list[:i], name) {
			return fmt.Errorf("%s is named twice", name)
		}
	}
	if len(list) > 1 && slices.ContainsFunc(list, func(n string) bool { return strings.HasPrefix(n, "MIG-") }) {
		return errors.New("a MIG instance cannot be combined with other devices")
	}
	return nil
}

// maskVariables choose a process's devices.
var maskVariables = []string{"CUDA_VISIBLE_DEVICES", "CUDA_DEVICE_ORDER", "HIP_VISIBLE_DEVICES", "ROCR_VISIBLE_DEVICES", "GPU_DEVICE_ORDINAL"}

// IsMaskVariable reports whether an environment variable chooses devices. A mask
// that we were given ourselves is not passed on beside an engine's own: it would
// be counted from.
func IsMaskVariable(name string) bool { return slices.Contains(maskVariables, name) }

// MaskEnvironment is how an engine learns its devices. CUDA counts the fastest
// first unless it is told to count as nvidia-smi does.
func MaskEnvironment(devices []string) map[string]string {
	if len(devices) == 0 {
		return nil
	}
	mask := strings.Join(devices, ",")
	values := map[string]string{"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": mask}
	if !strings.Contains(mask, "MIG-") {
		values["HIP_VISIBLE_DEVICES"] = mask
	}
	return values
}
