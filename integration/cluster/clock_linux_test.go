package cluster_test

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// clock is a wall clock that a test can set, of all processes that were built for
// it: the machine's own clock is shared. Only time.Now is changed, and of it
// only what the wall says; what Go takes from the monotonic clock goes on, as
// after settimeofday.
type clock struct {
	t    *testing.T
	file string
	page []byte
	step time.Duration
}

// stepper is added to package time.
const stepper = `package time

import (
	"sync/atomic"
	"syscall"
	"unsafe"
)

var testStepSeconds = mapTestStep()

func testStep() int64 { return atomic.LoadInt64(testStepSeconds) }

func mapTestStep() *int64 {
	path, _ := syscall.Getenv("TEST_CLOCK")
	fd, err := syscall.Open(path, syscall.O_RDONLY, 0)
	if err != nil {
		return new(int64) // the program that asks go for its version
	}
	page, err := syscall.Mmap(fd, 0, 8, syscall.PROT_READ, syscall.MAP_SHARED)
	if err != nil {
		panic("mapping the test's clock: " + err.Error())
	}
	return (*int64)(unsafe.Pointer(&page[0]))
}
`

// newClock gives the clock, and the program that goes by it.
func newClock(t *testing.T) (c *clock, program string) {
	t.Helper()
	dir := t.TempDir()
	c = &clock{t: t, file: filepath.Join(dir, "clock")}
	if err := os.WriteFile(c.file, make([]byte, 8), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(c.file, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if c.page, err = syscall.Mmap(int(f.Fd()), 0, 8, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_SHARED); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = syscall.Munmap(c.page) })
	out, err := exec.Command("go", "list", "-f", "{{.Dir}}", "time").Output()
	if err != nil {
		t.Fatal(err)
	}
	source := filepath.Join(strings.TrimSpace(string(out)), "time.go")
	text, err := os.ReadFile(source)
	if err != nil {
		t.Fatal(err)
	}
	const read = "func Now() Time {\n\tsec, nsec, mono := runtimeNow()\n"
	changed := strings.Replace(string(text), read, read+"\tsec += testStep()\n", 1)
	if changed == string(text) {
		t.Fatal("time.Now is written differently in this version of Go")
	}
	program, err = buildWith("orchestratord-clock", overlay(t, map[string]string{source: changed, filepath.Join(filepath.Dir(source), "zz_step.go"): stepper}))
	if err != nil {
		t.Fatal(err)
	}
	return c, program
}

// overlay gives the flag that has go build see these texts in place of its files.
func overlay(t *testing.T, texts map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	replace := make(map[string]string)
	for path, text := range texts {
		replace[path] = filepath.Join(dir, filepath.Base(path))
		if err := os.WriteFile(replace[path], []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	list, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(path, list, 0o600); err != nil {
		t.Fatal(err)
	}
	return "-overlay=" + path
}

// set moves the clock by that much, counted from the true time.
func (c *clock) set(step time.Duration) {
	c.step = step
	binary.NativeEndian.PutUint64(c.page, uint64(int64(step/time.Second)))
}

// now is what the clock says.
func (c *clock) now() time.Time {
	return time.Now().Add(time.Duration(int64(binary.NativeEndian.Uint64(c.page))) * time.Second)
}
