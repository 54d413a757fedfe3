package main

import (
	"fmt"
	"io"
	"net"
	"sync"
)

// link is the network in front of one orchestrator's routes. The others know only the
// link's address, so it can cut that orchestrator off, and a caller, too: it looks up
// which process has opened the other end of each connection.
type link struct {
	net     *network
	to      *host
	address string
	ln      net.Listener
}

// network is the links of all hosts, and which hosts are cut off.
type network struct {
	hosts []*host

	mu    sync.Mutex
	conns map[net.Conn][2]string   // both ends of each accepted connection
	cut   map[string]bool          // connections from and to these are closed and refused
	held  map[string]chan struct{} // what these send or should get waits until it is closed
	all   sync.WaitGroup
}

func newNetwork() *network {
	return &network{conns: map[net.Conn][2]string{}, cut: map[string]bool{}, held: map[string]chan struct{}{}}
}

// open makes the link in front of a host. close ends it.
func (n *network) open(to *host) (*link, error) {
	ln, err := net.Listen("tcp", to.ip+":0")
	if err != nil {
		return nil, fmt.Errorf("opening the link to %s: %w", to.name, err)
	}
	l := &link{net: n, to: to, address: ln.Addr().String(), ln: ln}
	n.all.Go(func() { // until close
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			n.all.Go(func() { l.carry(conn) })
		}
	})
	return l, nil
}

func (n *network) close() {
	n.mu.Lock()
	for _, h := range n.hosts {
		if h.link != nil {
			h.link.ln.Close()
		}
		n.cut[h.name] = true
	}
	for name, free := range n.held {
		close(free)
		delete(n.held, name)
	}
	for conn := range n.conns {
		conn.Close()
	}
	n.mu.Unlock()
	n.all.Wait()
}

func (l *link) carry(in net.Conn) {
	defer in.Close()
	ends := [2]string{l.net.caller(in), l.to.name}
	if !l.net.note(in, ends) {
		return
	}
	defer l.net.forget(in)
	l.net.wait(ends)
	out, err := net.Dial("tcp", l.to.routes)
	if err != nil {
		return
	}
	defer out.Close()
	done := make(chan struct{})
	go func() { // ends when either connection is closed
		defer close(done)
		_, _ = io.Copy(passing{in, l.net, ends}, out)
		in.Close()
	}()
	_, _ = io.Copy(passing{out, l.net, ends}, in)
	out.Close()
	<-done
}

// passing writes what comes over a link, when neither of its ends is held.
type passing struct {
	io.Writer
	net  *network
	ends [2]string
}

func (p passing) Write(b []byte) (int, error) {
	p.net.wait(p.ends)
	return p.Writer.Write(b)
}

func (n *network) wait(ends [2]string) {
	for _, name := range ends {
		n.mu.Lock()
		free := n.held[name]
		n.mu.Unlock()
		if free != nil {
			<-free
		}
	}
}

// note admits a connection, unless one of its ends is cut off.
func (n *network) note(conn net.Conn, ends [2]string) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.cut[ends[0]] || n.cut[ends[1]] {
		return false
	}
	n.conns[conn] = ends
	return true
}

func (n *network) forget(conn net.Conn) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, conn)
}

// isolate closes the connections of a host and refuses new ones, or connects it again.
func (n *network) isolate(name string, cut bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.cut[name] = cut
	for conn, ends := range n.conns {
		if cut && (ends[0] == name || ends[1] == name) {
			conn.Close()
		}
	}
}

// hold keeps everything from and to a host from arriving while its connections stay, as
// behind a switch that drops packets, or lets it arrive again.
func (n *network) hold(name string, held bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	free := n.held[name]
	switch {
	case held && free == nil:
		n.held[name] = make(chan struct{})
	case !held && free != nil:
		close(free)
		delete(n.held, name)
	}
}

// caller is the host whose orchestrator has opened the connection.
func (n *network) caller(conn net.Conn) string {
	inode := socketInode(conn.RemoteAddr().(*net.TCPAddr).Port, conn.LocalAddr().(*net.TCPAddr).Port)
	for _, h := range n.hosts {
		if inode != "" && hasSocket(h.orchestrator.pid(), inode) {
			return h.name
		}
	}
	return "" // it has hung up
}
