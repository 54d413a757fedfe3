package staging

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/llorch/gateway/poolmanager/modelref"
)

// FilePath gives the path of file:NAME below the model root. It looks the file up through os.Root, which no symbolic link leaves.
func FilePath(root, name string) (string, error) {
	if root == "" {
		return "", fmt.Errorf("%w: no model root is configured (POOL_MANAGERD_MODEL_ROOT)", modelref.ErrRef)
	}
	within, err := os.OpenRoot(root)
	if err != nil {
		return "", fmt.Errorf("opening the model root: %w", err)
	}
	defer within.Close()
	info, err := within.Stat(name)
	if err != nil {
		return "", fmt.Errorf("%w: no such file under the model root", modelref.ErrRef)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("%w: not a regular file", modelref.ErrRef)
	}
	absolute, err := filepath.Abs(root)
	if err != nil {
		return "", fmt.Errorf("finding the model root: %w", err)
	}
	return filepath.Join(absolute, filepath.FromSlash(name)), nil
}
