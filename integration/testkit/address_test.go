package testkit

import (
	"net"
	"strings"
	"testing"
)

func TestFreeAddressesDifferAndCanBeListenedOn(t *testing.T) {
	seen := map[string]bool{}
	for range 50 {
		address := FreeAddress(t)
		if seen[address] {
			t.Errorf("%s was returned twice", address)
		}
		seen[address] = true
		l, err := net.Listen("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
	}
}

func TestAnAddressThatIsNotThisMachinesIsReported(t *testing.T) {
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		FreeAddressOn(r, "192.0.2.1") // TEST-NET-1, RFC 5737
	}()
	<-done
	if !strings.HasPrefix(r.failure, "finding a free port on 192.0.2.1: 100 attempts: ") {
		t.Errorf("got %q", r.failure)
	}
}
