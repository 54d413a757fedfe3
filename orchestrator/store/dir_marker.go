package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// ErrOtherLayout is returned by Open for a directory whose state was made by
// another kind of server. JetStream would delete it: a replica removes what the
// cluster does not know about 30 s after it has joined.
var ErrOtherLayout = errors.New("state directory belongs to another kind of server; move its state with orchestratord migrate")

// markerFile says what made the state; it is written before JetStream first
// sees the directory.
const markerFile = "layout.json"

// marker is what a state directory is good for. The zero one is a single server.
type marker struct {
	Cluster string `json:"cluster,omitempty"`
	Replica string `json:"replica,omitempty"`
	Size    int    `json:"size,omitempty"`
}

func (m marker) String() string {
	if m.Cluster == "" {
		return "a single server"
	}
	return fmt.Sprintf("replica %s of cluster %s (%d replicas)", m.Replica, m.Cluster, m.Size)
}

func markerOf(c *Cluster) marker {
	if c == nil {
		return marker{}
	}
	return marker{Cluster: c.Name, Replica: c.Replica, Size: len(c.Peers)}
}

// claimDir makes the directory that of m; ErrOtherLayout if it is another's.
func claimDir(dir string, m marker) error {
	found, err := readMarker(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return writeMarker(dir, m)
	}
	if err != nil {
		return err
	}
	if found != m {
		return fmt.Errorf("%s holds the state of %s, not of %s: %w", dir, found, m, ErrOtherLayout)
	}
	return nil
}

// readMarker tells what the directory is; fs.ErrNotExist: nothing yet. State
// without a marker is from before there were any, so of a single server.
func readMarker(dir string) (m marker, err error) {
	text, err := os.ReadFile(filepath.Join(dir, markerFile))
	if errors.Is(err, fs.ErrNotExist) {
		if _, err := os.Stat(jetstreamDir(dir)); err != nil {
			return m, err
		}
		return marker{}, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return m, fmt.Errorf("reading %s: %w", filepath.Join(dir, markerFile), err)
	}
	return m, nil
}

// writeMarker is durable when it returns.
func writeMarker(dir string, m marker) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding marker: %w", err)
	}
	return writeSynced(dir, markerFile, text)
}

// writeSynced writes a line into a file, which has it or what it had before.
func writeSynced(dir, name string, text []byte) error {
	path := filepath.Join(dir, name)
	f, err := os.OpenFile(path+".new", os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(path+".new", path)
	}
	if err == nil {
		err = syncDir(dir)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func jetstreamDir(dir string) string { return filepath.Join(dir, "jetstream") }
