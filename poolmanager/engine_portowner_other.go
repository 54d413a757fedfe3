//go:build unix && !linux

package poolmanager

// checkPort needs /proc/net, which only Linux has.
func checkPort(int) error { return nil }
