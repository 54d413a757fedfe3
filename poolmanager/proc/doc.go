// Package proc owns child processes: it starts one in a process group of its own, ends
// the whole group, and finds orphans of a killed earlier run.
//
// Three mechanisms, each for processes that escape the one before: on Linux the kernel
// kills the child when its parent dies (PR_SET_PDEATHSIG); the group is killed
// when its leader ends; and every process carries a marker in its environment,
// by which a restarted parent finds children that left the group.
//
// It is not a sandbox: a child runs as this user, and one that changes its user, or
// clears its environment and leaves the group, escapes.
//
// The example of the package starts a process and ends it.
package proc
