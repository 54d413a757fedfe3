package gpu

import (
	"strings"
	"testing"
)

func TestMasksAreChecked(t *testing.T) {
	for _, mask := range []string{"0", "0,1,2", "GPU-8932f937-d72c-4106-c12f-20bd9faed9f6", "GPU-8932f937", "MIG-feb88891-0321-5fef-9c87-d4af3b54259e", "MIG-GPU-8932f937-d72c-4106-c12f-20bd9faed9f6/1/2"} {
		if _, err := ParseMask(mask); err != nil {
			t.Errorf("%s: %v", mask, err)
		}
	}
	for _, mask := range []string{",", "0,", "0,0", "-1", "all", "0 1", "GPU-", "gpu-8932f937", "0\n", "0;id", "$(id)", "MIG-aaaa1111,0", "1234", strings.Repeat("0,", 80) + "0"} {
		if list, err := ParseMask(mask); err == nil {
			t.Errorf("%q was read as %q", mask, list)
		}
	}
	if got := MaskEnvironment([]string{"MIG-aaaa1111"}); len(got) != 2 || got["HIP_VISIBLE_DEVICES"] != "" {
		t.Errorf("a MIG instance for AMD: %q", got)
	}
}
