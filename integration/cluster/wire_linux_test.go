package cluster_test

import (
	"bufio"
	"cmp"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// wire is the network in front of one replica's routes. The others know only
// its address, so it can cut the replica off, in both directions: it looks up
// which process opened the other end of each connection.
type wire struct {
	c       *cluster
	to      *replica
	address string

	mu    sync.Mutex
	conns map[net.Conn]string // the accepted end, and who called
	cut   map[string]bool     // replicas that are cut off, of all wires alike
	// held has the replicas of which nothing arrives although their connections stay, as
	// behind a switch that drops packets; the channel is closed when they are free again.
	held map[string]chan struct{}
}

func newWire(t *testing.T, c *cluster, to *replica) *wire {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{c: c, to: to, address: ln.Addr().String(), conns: make(map[net.Conn]string), cut: make(map[string]bool)}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			all.Go(func() { w.carry(conn) })
		}
	})
	t.Cleanup(func() {
		ln.Close()
		w.set("", true)
		w.mu.Lock()
		for _, free := range w.held {
			close(free)
		}
		w.held = nil
		w.mu.Unlock()
		all.Wait()
	})
	return w
}

func (w *wire) carry(in net.Conn) {
	defer in.Close()
	who := w.caller(in)
	if !w.note(in, who) {
		return
	}
	defer w.forget(in)
	w.wait(who)
	out, err := net.Dial("tcp", w.to.routes)
	if err != nil {
		return
	}
	defer out.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = io.Copy(slowed{in, w, who}, out)
		in.Close()
	}()
	_, _ = io.Copy(slowed{out, w, who}, in)
	out.Close()
	<-done
}

// slowed writes what passes the wire.
type slowed struct {
	io.Writer
	w   *wire
	who string
}

func (s slowed) Write(p []byte) (int, error) {
	s.w.wait(s.who)
	return s.Writer.Write(p)
}

// wait returns when neither end is held.
func (w *wire) wait(who string) {
	for _, name := range []string{who, w.to.name} {
		w.mu.Lock()
		free := w.held[name]
		w.mu.Unlock()
		if free != nil {
			<-free
		}
	}
}

// note admits a connection, unless one of its ends is cut off.
func (w *wire) note(conn net.Conn, who string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cut[who] || w.cut[w.to.name] || w.cut[""] {
		return false
	}
	w.conns[conn] = who
	return true
}

func (w *wire) forget(conn net.Conn) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.conns, conn)
}

// set disconnects a replica, or connects it again; "" is all of them.
func (w *wire) set(name string, cut bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.cut[name] = cut
	for conn, who := range w.conns {
		if cut && (name == "" || name == who || name == w.to.name) {
			conn.Close()
		}
	}
}

// isolate cuts a replica off from the others, or connects it again.
func (c *cluster) isolate(r *replica, cut bool) {
	for _, w := range c.wires {
		w.set(r.name, cut)
	}
}

// hold keeps everything from and to the replica from arriving, while connections stay, or
// lets it arrive again.
func (c *cluster) hold(r *replica, held bool) {
	for _, w := range c.wires {
		w.mu.Lock()
		if w.held == nil {
			w.held = make(map[string]chan struct{})
		}
		free := w.held[r.name]
		delete(w.held, r.name)
		if held {
			w.held[r.name] = cmp.Or(free, make(chan struct{}))
		} else if free != nil {
			close(free)
		}
		w.mu.Unlock()
	}
}

// caller is the replica whose process has opened the connection.
func (w *wire) caller(conn net.Conn) string {
	return w.c.owner(conn.RemoteAddr().(*net.TCPAddr).Port, conn.LocalAddr().(*net.TCPAddr).Port)
}

// owner is the replica that has the socket with the given ports.
func (c *cluster) owner(local, remote int) string {
	inode := socketInode(local, remote)
	for _, r := range c.members() {
		fds, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", r.pid()))
		for _, fd := range fds {
			if name, err := os.Readlink(fd); err == nil && name == "socket:["+inode+"]" {
				return r.name
			}
		}
	}
	return "no replica"
}

// socketInode finds the socket with the given ports in the kernel's table.
func socketInode(local, remote int) string {
	f, err := os.Open("/proc/net/tcp")
	if err != nil {
		return ""
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) > 9 && strings.HasSuffix(fields[1], fmt.Sprintf(":%04X", local)) && strings.HasSuffix(fields[2], fmt.Sprintf(":%04X", remote)) {
			return fields[9]
		}
	}
	return ""
}
