package cli

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// maxProcesses bounds the processes that are examined.
const maxProcesses = 1 << 16

// tunnels are programs that bring requests of other machines to this one, by the
// name that the kernel has for them (at most 15 characters).
var tunnels = map[string]string{
	"cloudflared": "Cloudflare Tunnel", "tailscaled": "Tailscale (its serve and funnel)", "ngrok": "ngrok",
	"frpc": "frp", "frps": "frp", "bore": "bore", "chisel": "chisel", "rathole": "rathole", "zrok": "zrok",
	"inlets": "inlets", "inlets-pro": "inlets", "socat": "socat", "autossh": "autossh", "sish": "sish",
}

// frontends are proxies for other programs of one machine. Some add no header and rewrite
// Host by default, as nginx does: their requests look like requests of this machine.
var frontends = map[string]string{
	"nginx": "nginx", "openresty": "OpenResty", "angie": "Angie", "haproxy": "HAProxy", "apache2": "Apache", "httpd": "Apache",
	"lighttpd": "lighttpd", "traefik": "Traefik", "envoy": "Envoy", "varnishd": "Varnish", "squid": "Squid", "h2o": "H2O", "pound": "Pound",
	"stunnel": "stunnel", "stunnel4": "stunnel", "ghostunnel": "Ghostunnel", "hitch": "Hitch", "sslh": "sslh", "rinetd": "rinetd", "gost": "GOST",
}

// examineTunnels looks for tunnels and proxies among the running programs. Their command
// lines are read only to know `ssh -R`, and are never printed: they hold tokens.
func (d *doctor) examineTunnels() {
	var found []string
	seen := map[string]bool{}
	pids, _ := filepath.Glob(filepath.Join(d.proc, "[0-9]*"))
	for _, dir := range pids[:min(len(pids), maxProcesses)] {
		raw, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil {
			continue
		}
		name := strings.TrimSpace(string(raw))
		kind, known := tunnels[name]
		if name == "ssh" && forwardsBack(filepath.Join(dir, "cmdline")) {
			kind, known = "ssh -R", true
		}
		if !known {
			if kind, known = frontends[name]; known && seen[kind] {
				continue // one line for all of its workers
			}
			seen[kind] = true
		}
		if known {
			found = append(found, fmt.Sprintf("%s (process %s)", kind, filepath.Base(dir)))
		}
	}
	for _, tunnel := range found {
		if d.bypass {
			d.problem(fmt.Sprintf("%s runs here, and requests of this machine need no token: what comes through it may count as this machine", tunnel), "unset AUTH_OPTIONAL, or stop it")
		} else {
			d.note(fmt.Sprintf("%s runs here: it can bring requests of other machines to what listens on loopback", tunnel), "keep AUTH_OPTIONAL unset")
		}
	}
	if len(found) == 0 {
		d.ok("no tunnel or other proxy is known to run here, as far as this user can see")
	}
}

// forwardsBack reports whether an ssh client was started with -R.
func forwardsBack(cmdline string) bool {
	raw, err := os.ReadFile(cmdline)
	if err != nil {
		return false
	}
	return slices.ContainsFunc(strings.Split(string(raw), "\x00"), func(arg string) bool {
		return sshRemote.MatchString(arg)
	})
}

// sshRemote matches -R, alone or behind other letters as in -fNR, and its long
// form.
var sshRemote = regexp.MustCompile(`^(-[46AaCfGgKkMNnqsTtVvXxYy]*R.*|-o?RemoteForward.*|RemoteForward.*)$`)

// engines are the ports that model servers and our backends listen on. They have
// no authentication of their own, or a weaker one.
var engines = map[uint16]string{
	11434: "Ollama", 8000: "vLLM", 30000: "SGLang", 8080: "llama.cpp server", 8081: "the orchestrator", 9200: "the pool manager",
}

const adminPort = 2019 // Caddy's default

// examineSockets looks for services that other machines can reach without the gateway.
func (d *doctor) examineSockets() {
	behind, own := d.upstreamPorts(), d.ownPorts()
	seen := map[netip.AddrPort]bool{}
	open := 0
	for _, at := range d.listening() {
		if seen[at] {
			continue
		}
		seen[at] = true
		port := at.Port()
		name, engine := engines[port]
		if behind[port] {
			name, engine = "a service behind this gateway", true
		}
		switch {
		case port == adminPort && (d.settings == nil || !own[port]):
			d.problem(fmt.Sprintf("something listens on %s, the port of Caddy's admin endpoint: every program of this machine can change the configuration there", at),
				"write `admin unix//run/llorch/admin.sock|0600` into the global options, and restart")
		case engine && !own[port] && !at.Addr().IsLoopback():
			open++
			d.problem(fmt.Sprintf("port %d (%s) listens on %s: other machines reach it past the gateway", port, name, at),
				fmt.Sprintf("start it with 127.0.0.1:%d as its address (Ollama: OLLAMA_HOST=127.0.0.1; vLLM, SGLang and llama.cpp: --host 127.0.0.1)", port))
		}
	}
	if open == 0 {
		d.ok("no engine or backend is known to listen for other machines")
	}
}

// listening reads the TCP listeners of this machine.
func (d *doctor) listening() []netip.AddrPort {
	var list []netip.AddrPort
	for _, table := range []string{"tcp", "tcp6"} {
		f, err := os.Open(filepath.Join(d.proc, "net", table))
		if err != nil {
			d.note(fmt.Sprintf("the listeners of this machine cannot be read: %v", err), "run this command on Linux, or list them with `ss -ltn`")
			continue
		}
		scanner := bufio.NewScanner(f)
		for scanner.Scan() {
			const local, state, listen = 1, 3, "0A"
			fields := strings.Fields(scanner.Text())
			if len(fields) <= state || fields[state] != listen {
				continue
			}
			if at, ok := parseProcAddr(fields[local]); ok {
				list = append(list, at)
			}
		}
		_ = f.Close()
	}
	return list
}

// parseProcAddr reads HEX:PORT of /proc/net/tcp: 32-bit words in the byte order of
// the machine, which is little-endian on all that Go has for Linux but s390x,
// mips and ppc64.
func parseProcAddr(text string) (netip.AddrPort, bool) {
	host, portText, ok := strings.Cut(text, ":")
	port, err := strconv.ParseUint(portText, 16, 16)
	if !ok || err != nil || len(host)%8 != 0 {
		return netip.AddrPort{}, false
	}
	var raw []byte
	for i := 0; i < len(host); i += 8 {
		word, err := strconv.ParseUint(host[i:i+8], 16, 32)
		if err != nil {
			return netip.AddrPort{}, false
		}
		raw = append(raw, byte(word), byte(word>>8), byte(word>>16), byte(word>>24))
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr.Unmap(), uint16(port)), ok
}

// ownPorts are the ports of the configuration's servers: they have guards, or lint
// reports that they have none.
func (d *doctor) ownPorts() map[uint16]bool {
	ports := map[uint16]bool{}
	if d.settings == nil {
		return ports
	}
	for _, server := range d.settings.HTTP.Servers {
		for _, address := range server.Listen {
			if _, port, ok := splitAddress(address); ok {
				ports[port] = true
			}
		}
	}
	return ports
}

var dialAddress = regexp.MustCompile(`"dial":("[^"]*")`)

// upstreamPorts are the ports of this machine that the gateway proxies to.
func (d *doctor) upstreamPorts() map[uint16]bool {
	ports := map[uint16]bool{}
	if d.settings == nil {
		return ports
	}
	for _, address := range dialed(d.settings.Caddy.AppsRaw["http"]) {
		host, port, ok := splitAddress(address)
		if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); ok && (host == "localhost" || err == nil && addr.IsLoopback()) {
			ports[port] = true
		}
	}
	return ports
}

// dialed are the addresses that proxies of a configuration dial.
func dialed(config json.RawMessage) []string {
	var addresses []string
	for _, match := range dialAddress.FindAllSubmatch(config, -1) {
		var address string
		if json.Unmarshal(match[1], &address) == nil {
			addresses = append(addresses, address)
		}
	}
	return addresses
}

// splitAddress splits HOST:PORT.
func splitAddress(address string) (host string, port uint16, ok bool) {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return "", 0, false
	}
	number, err := strconv.ParseUint(address[i+1:], 10, 16)
	return address[:i], uint16(number), err == nil
}
