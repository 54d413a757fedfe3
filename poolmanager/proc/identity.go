package proc

// Identity names one process uniquely: the kernel reuses a pid, but not a pid with its
// start time. StartTicks is field 22 of /proc/PID/stat, clock ticks
// since boot, and 0 without /proc.
type Identity struct {
	PID        int   `json:"pid"`
	StartTicks int64 `json:"start_ticks"`
}
