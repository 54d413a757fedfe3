package authmin

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// ErrForeignOwner is wrapped by the refusal of a keyring file that another user
// owns.
var ErrForeignOwner = errors.New("the file belongs to another user")

// checkOwner refuses a keyring file whose owner is neither root nor the user of this
// process: a file's owner can change its mode, and add a token.
func checkOwner(path string, info os.FileInfo) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("could not read the owner of %s", path)
	}
	return checkOwnerID(path, stat.Uid, os.Geteuid())
}

func checkOwnerID(path string, owner uint32, process int) error {
	if owner == 0 || int64(owner) == int64(process) {
		return nil
	}
	return fmt.Errorf("%w: %s is owned by uid %d, who may change it, and this process runs as uid %d; run: chown root %s (and chgrp the gateway's group, mode 0640)",
		ErrForeignOwner, path, owner, process, path)
}
