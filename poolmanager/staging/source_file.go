package staging

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"syscall"
)

// fileSource is a file below the model root; no link leads out of it.
type fileSource struct{ root, name string }

func (f fileSource) open(_ context.Context, at int64, known validator) (io.ReadCloser, int64, validator, error) {
	root, err := os.OpenRoot(f.root)
	if err != nil {
		return nil, 0, validator{}, fmt.Errorf("%w: %w", errSource, err)
	}
	defer root.Close()
	file, err := root.OpenFile(f.name, os.O_RDONLY|syscall.O_NONBLOCK, 0) // a FIFO must not hang us
	if err != nil {
		return nil, 0, validator{}, fmt.Errorf("%w: no such file below the model root", errSource)
	}
	info, err := file.Stat()
	if err != nil || !info.Mode().IsRegular() {
		file.Close()
		return nil, 0, validator{}, fmt.Errorf("%w: not a regular file", errSource)
	}
	v := validator{Modified: info.ModTime().UTC().Format(http.TimeFormat), Length: info.Size()}
	if v != known || at > v.Length {
		at = 0
	}
	if _, err := file.Seek(at, io.SeekStart); err != nil {
		file.Close()
		return nil, 0, validator{}, fmt.Errorf("%w: %w", errSource, err)
	}
	return file, at, v, nil
}
