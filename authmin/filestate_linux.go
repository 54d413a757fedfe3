package authmin

import "syscall"

// changeTime is when the file's content, owner or mode last changed, in Unix
// nanoseconds. No program can set it back.
func changeTime(stat *syscall.Stat_t) int64 { return stat.Ctim.Nano() }
