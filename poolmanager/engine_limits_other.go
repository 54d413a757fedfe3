//go:build unix && !linux

package poolmanager

import "errors"

// limit needs prlimit(2), which only Linux has.
func (t Template) limit(int) error {
	if t.MaxOpenFiles == 0 && t.MaxAddressSpaceBytes == 0 {
		return nil
	}
	return errors.New("limits of an engine need Linux")
}
