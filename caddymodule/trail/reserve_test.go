package trail

import (
	"math"
	"os"
	"path/filepath"
	"testing"
)

func TestHowMuchExpendableRecordsMayTake(t *testing.T) {
	file, err := os.Create(filepath.Join(t.TempDir(), "audit"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for _, c := range []struct {
		name    string
		setting int64
		bounded bool
		may     bool
	}{
		{"the default", 0, true, true},
		{"a small one", 1, true, true},
		{"more than there is", math.MaxInt64, true, false},
		{"none", NoReserve, false, true},
	} {
		r := newReserve(noLog)
		r.setting.Store(c.setting)
		r.measure(file, 0)
		if bounded := r.left.Load() != math.MaxInt64; bounded != c.bounded || r.spend(600) != c.may {
			t.Errorf("%s: bounded %v, may write %v, want %v and %v", c.name, bounded, !c.may, c.bounded, c.may)
		}
	}
	r := newReserve(noLog)
	r.setting.Store(1)
	r.measure(file, 0)
	r.left.Store(2*(600+int64(chainSize)) - 1)
	if !r.spend(600) || r.spend(600) {
		t.Error("with room for one record and most of another: want one")
	}
	device, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	if r.measure(device, 0); !r.spend(600) {
		t.Error("a device has a reserve")
	}
}

func TestSizesOfAReserve(t *testing.T) {
	for text, want := range map[string]int64{
		"64MiB": 64 << 20, "1": 1, "100B": 100, "2KiB": 2048, "3KB": 3000, "1GB": 1e9, "4GiB": 4 << 30, "off": NoReserve,
		"": 0, "0": 0, "-1": 0, "64MB5": 0, "MiB": 0, "1.5GiB": 0, "9999999999TiB": 0, "all": 0, "64mib": 0,
	} {
		got, err := ParseReserve(text)
		if got != want || (err == nil) != (want != 0) {
			t.Errorf("%q: got %d (%v), want %d", text, got, err, want)
		}
	}
}
