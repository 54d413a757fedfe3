package poolmanager

import (
	"errors"
	"sync"
)

// portTries bounds how often the kernel is asked for a port that none of our
// starts has: of its 28,000 they have a few hundred at most.
const portTries = 16

// ports are those reserved by starts of this service. Between the choice of a port and
// the engine's opening of it the kernel may offer it again, and would let two engines that set SO_REUSEPORT share it: each would get some of the other's
// tasks.
type ports struct {
	free func() (int, error) // freePort; a test's own otherwise

	mu    sync.Mutex
	taken map[int]bool
}

func (p *ports) take() (int, error) {
	for range portTries {
		port, err := p.free()
		if err != nil {
			return 0, err
		}
		if p.claim(port) {
			return port, nil
		}
	}
	return 0, errors.New("looking for a free port: the kernel offers only ports of other engines")
}

func (p *ports) claim(port int) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken[port] {
		return false
	}
	p.taken[port] = true
	return true
}

// giveBack is for when the engine has gone.
func (p *ports) giveBack(port int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.taken, port)
}
