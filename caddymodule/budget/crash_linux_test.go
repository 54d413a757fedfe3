package budget

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"testing"
)

// ledgerProcess, set to a directory, makes this test binary a process that counts there.
const ledgerProcess = "TEST_LEDGER_PROCESS"

// TestTheLedgerProcess is no test of its own: it is what the next one starts. It reserves
// 1,000 tokens and says so, then settles with 10 and says so.
func TestTheLedgerProcess(t *testing.T) {
	dir := os.Getenv(ledgerProcess)
	if dir == "" {
		return
	}
	l := New(Options{Directory: dir})
	c := claim("alice", "1Gtokens/month", 1000)
	for n := 1; ; n++ {
		r, err := l.Reserve([]Claim{c})
		if err != nil {
			t.Fatal(err)
		}
		fmt.Println("reserved", n)
		r.Settle(10)
		fmt.Println("settled", n)
	}
}

// After a kill -9 each reservation that was made is charged, and what was settled is as it
// was said: without fsync the kernel has both.
func TestAKilledProcessForgetsNoReservation(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0], "-test.run=^TestTheLedgerProcess$")
	cmd.Env = append(os.Environ(), ledgerProcess+"="+dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	reserved, settled := int64(0), int64(0)
	read := func(scanner *bufio.Scanner) bool {
		more := scanner.Scan()
		_, _ = fmt.Sscanf(scanner.Text(), "reserved %d", &reserved)
		_, _ = fmt.Sscanf(scanner.Text(), "settled %d", &settled)
		return more
	}
	scanner := bufio.NewScanner(out)
	for settled < 500 && read(scanner) {
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	for read(scanner) { // what it said before it died
	}
	_ = cmd.Wait()
	l := New(Options{Directory: dir})
	if err := l.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, l) })
	got := l.States([]Claim{claim("alice", "1Gtokens/month", 0)})[0].Used
	least, most := 10*settled+1000*(reserved-settled), 10*reserved+1000
	if settled < 500 || got < least && got != 10*reserved || got > most {
		t.Errorf("%d tokens are charged after %d reservations, of which %d were settled; want %d to %d", got, reserved, settled, least, most)
	}
}
