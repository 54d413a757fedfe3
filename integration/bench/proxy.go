package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"
)

// proxy is a running proxy, or the upstream itself.
type proxy struct {
	Name        string `json:"name"`
	Description string `json:"description"`
	base, token string
	commands    []*exec.Cmd // none: it runs elsewhere, and its processor time cannot be read
}

const (
	startLimit = time.Minute     // to the first answer
	stopLimit  = 5 * time.Second // after it a proxy is killed
)

// start runs a program in a process group of its own.
func (p *proxy) start(ctx context.Context, dir string, env []string, command ...string) error {
	cmd := exec.CommandContext(ctx, command[0], command[1:]...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + dir}, env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	log, err := os.Create(filepath.Join(dir, filepath.Base(command[0])+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return err
	}
	p.commands = append(p.commands, cmd)
	return nil
}

// ready waits for the first answer.
func (p *proxy) ready(ctx context.Context, b *bench) error {
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	s := shapes[slices.IndexFunc(shapes, func(s shape) bool { return s.name == "json/0.5KB" })]
	for {
		_, err := b.ask(ctx, p.base, p.token, s, s.body())
		if err == nil {
			return nil
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return fmt.Errorf("%s does not answer: %w%s", p.Name, err, p.logs())
		}
	}
}

func (p *proxy) logs() string {
	var said strings.Builder
	for _, c := range p.commands {
		text, _ := os.ReadFile(filepath.Join(c.Dir, filepath.Base(c.Path)+".log"))
		said.WriteString("\n" + string(text[max(0, len(text)-2000):]))
	}
	return said.String()
}

// stop ends the programs with all of their processes.
func (p *proxy) stop() {
	for _, c := range p.commands {
		_ = syscall.Kill(-c.Process.Pid, syscall.SIGTERM)
	}
	for _, c := range p.commands {
		kill := time.AfterFunc(stopLimit, func() { _ = syscall.Kill(-c.Process.Pid, syscall.SIGKILL) })
		_ = c.Wait() // how it ends says nothing about the figures
		kill.Stop()
	}
}

func stopAll(running []*proxy) {
	for _, p := range running {
		p.stop()
	}
}

// startPeers starts the proxies that are wanted, and tells of those that cannot be had.
func startPeers(ctx context.Context, b *bench, s settings, progress io.Writer) (running []*proxy, err error) {
	defer func() {
		if err != nil {
			stopAll(running)
			running = nil
		}
	}()
	wanted := strings.Split(s.peers, ",")
	for _, name := range wanted {
		if s.peers != "" && !slices.Contains(peerNames(), name) {
			return running, fmt.Errorf("there is no proxy %q; want some of %s", name, strings.Join(peerNames(), ","))
		}
	}
	for _, kind := range peers {
		if s.peers != "" && !slices.Contains(wanted, kind.name) {
			continue
		}
		p := &proxy{Name: kind.name, Description: kind.description, token: b.token}
		running = append(running, p)
		if err = kind.start(ctx, b, p); errors.Is(err, errAbsent) {
			fmt.Fprintf(progress, "left out: %s: %v\n", kind.name, err)
			running = running[:len(running)-1]
			err = nil
			continue
		}
		if err == nil {
			err = p.ready(ctx, b)
		}
		if err != nil {
			return running, fmt.Errorf("%s: %w", kind.name, err)
		}
	}
	for _, text := range s.urls {
		name, url, ok := strings.Cut(text, "=")
		if !ok {
			return running, fmt.Errorf("-url %s: want NAME=URL", text)
		}
		p := &proxy{Name: name, Description: "runs elsewhere", base: strings.TrimRight(url, "/"), token: s.token}
		if err := p.ready(ctx, b); err != nil {
			return running, err
		}
		running = append(running, p)
	}
	return running, nil
}

// errAbsent is a program that is not installed.
var errAbsent = errors.New("the program is not on the PATH")

// freeAddress is a loopback address that no program listens on.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}
