package staging

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
)

// maxSidecarBytes bounds the small files beside the models.
const maxSidecarBytes = 32 << 10

// writeJSON replaces a small file atomically.
func writeJSON(path string, v any) error {
	encoded, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStaging, err)
	}
	file, err := os.CreateTemp(filepath.Dir(path), ".new-*") // mode 0600
	if err != nil {
		return fmt.Errorf("%w: %w", ErrStaging, err)
	}
	_, err = file.Write(encoded)
	if closeErr := file.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(file.Name(), path)
	}
	if err != nil {
		_ = os.Remove(file.Name())
		return fmt.Errorf("%w: %w", ErrStaging, err)
	}
	return nil
}

func readJSON(path string, into any) error {
	file, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := checkOwnFile(file); err != nil {
		return err
	}
	return json.NewDecoder(io.LimitReader(file, maxSidecarBytes)).Decode(into)
}
