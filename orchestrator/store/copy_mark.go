package store

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Move is a copy between a single server's directory and a cluster, as it is
// noted in the directory. A second copy would bring back tasks that have
// ended and were deleted in the target since: they would run a second time.
type Move struct {
	Into    bool      `json:"into"`    // into the cluster; else out of it, into the directory
	Cluster string    `json:"cluster"` // its name, or the URL of a NATS cluster
	Begun   time.Time `json:"begun"`
	Done    time.Time `json:"done,omitzero"`
}

// ErrMoved is returned by Check when the same copy was made before.
var ErrMoved = errors.New("its state was copied before")

const (
	moveFile = "migrated.json"
	// moveAgain is how long after its beginning a copy that was interrupted may go
	// on: the orchestrator remembers every task for at least an hour after its
	// end, unless it has ended ten thousand since.
	moveAgain = time.Hour
	// maxMove bounds the note that is read.
	maxMove = 64 << 10
)

// Check refuses a copy that was made before, and one that was interrupted too
// long ago, or had another target.
func (m Move) Check(dir string) error {
	before, err := readMove(dir)
	if err != nil {
		return err
	}
	way := "out of"
	if m.Into {
		way = "into"
	}
	switch {
	case before.Begun.IsZero() || before.Into != m.Into:
		return nil
	case !before.Done.IsZero():
		return fmt.Errorf("%s: copied %s %s, done at %s: %w", dir, way, before.Cluster, before.Done.Format(time.RFC3339), ErrMoved)
	case before.Cluster != m.Cluster || m.Begun.Sub(before.Begun) > moveAgain:
		return fmt.Errorf("%s: copied %s %s in part, begun at %s: %w", dir, way, before.Cluster, before.Begun.Format(time.RFC3339), ErrMoved)
	}
	return nil
}

// Begin notes that the copy begins. One that goes on keeps its beginning.
func (m Move) Begin(dir string) error {
	before, err := readMove(dir)
	if err == nil && before.Into == m.Into && !before.Begun.IsZero() && m.Check(dir) == nil {
		return nil
	}
	return m.write(dir)
}

// End notes that the copy is whole.
func (m Move) End(dir string, at time.Time) error {
	m.Done = at
	return m.write(dir)
}

func readMove(dir string) (m Move, err error) {
	path := filepath.Join(dir, moveFile)
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return m, nil
	}
	if err != nil {
		return m, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxMove {
		return m, fmt.Errorf("reading %s: not a copy marker", path)
	}
	text, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(text, &m)
	}
	if err != nil {
		return m, fmt.Errorf("reading %s: %w", path, err)
	}
	return m, nil
}

func (m Move) write(dir string) error {
	text, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding copy marker: %w", err)
	}
	return writeSynced(dir, moveFile, text)
}
