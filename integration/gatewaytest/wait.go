package gatewaytest

import (
	"errors"
	"net"
	"testing"
	"time"

	"github.com/llorch/gateway/integration/testkit"
)

// Listening waits until the process accepts connections at every address; a
// process that exits first fails the test.
func (p *Process) Listening(t testing.TB, addresses ...string) {
	t.Helper()
	for _, address := range addresses {
		err := testkit.Poll(30*time.Second, func() error {
			select {
			case <-p.exited:
				return nil
			default:
			}
			conn, err := net.DialTimeout("tcp", address, time.Second)
			if err != nil {
				return err
			}
			return conn.Close()
		})
		select {
		case <-p.exited:
			err = errors.Join(errors.New("the process has ended"), p.err)
		default:
		}
		if err != nil {
			t.Fatalf("waiting for %s: %v\n%s", address, err, p.Output())
		}
	}
}
