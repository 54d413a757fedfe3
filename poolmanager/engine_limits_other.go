//go:build unix && !linux

package poolmanager

import "errors"

// limit is for Linux: elsewhere nobody can limit another process.
func (t Template) limit(int) error {
	if t.MaxOpenFiles == 0 && t.MaxAddressSpaceBytes == 0 {
		return nil
	}
	return errors.New("limits of an engine need Linux")
}
