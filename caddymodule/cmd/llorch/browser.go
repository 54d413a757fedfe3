package main

import (
	"fmt"
	"io"
	"os/exec"
)

// opener is how a system opens a URL in its default browser.
type opener struct {
	system string                       // runtime.GOOS
	getenv func(string) string          // of this process
	find   func(string) (string, error) // exec.LookPath
	start  func(*exec.Cmd) error
}

// command is the program that opens a URL, and its arguments. The URL is one argument,
// and no shell reads it.
func (o opener) command(url string) (argv []string, problem string) {
	switch o.system {
	case "darwin":
		return []string{"open", url}, ""
	case "windows":
		return []string{"rundll32", "url.dll,FileProtocolHandler", url}, ""
	}
	if o.getenv("DISPLAY") == "" && o.getenv("WAYLAND_DISPLAY") == "" {
		return nil, "there is no display here"
	}
	return []string{"xdg-open", url}, ""
}

// open opens a URL. If no browser starts, it prints the URL, and `up` goes on.
func (o opener) open(out io.Writer, url string) {
	argv, problem := o.command(url)
	if problem == "" {
		path, err := o.find(argv[0])
		if err == nil {
			cmd := exec.Command(path, argv[1:]...)
			detach(cmd)
			err = o.start(cmd)
		}
		if err != nil {
			problem = argv[0] + " did not start: " + err.Error()
		}
	}
	if problem != "" {
		_, _ = fmt.Fprintf(out, "--open: %s; open %s in a browser.\n", problem, url)
	}
}

// startAndReap starts a command and does not wait for it: the program may be the browser
// itself. The goroutine ends with it.
func startAndReap(cmd *exec.Cmd) error {
	if err := cmd.Start(); err != nil {
		return err
	}
	go func() { _ = cmd.Wait() }()
	return nil
}
