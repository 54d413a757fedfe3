package ownfile

import (
	"os"
	"syscall"
)

// State identifies a file and its content: two equal States are of the same file with
// the same bytes.
type State struct {
	Size, Inode, Modified, Changed int64
}

// StateOf is what tells whether a file was touched: its change time moves with
// every write, link, rename and change of mode, and cannot be set back.
func StateOf(file *os.File) (State, error) {
	info, err := file.Stat()
	if err != nil {
		return State{}, err
	}
	stat := info.Sys().(*syscall.Stat_t)
	return State{Size: info.Size(), Inode: int64(stat.Ino), Modified: info.ModTime().UnixNano(), Changed: changeTime(stat)}, nil
}
