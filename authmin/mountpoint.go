package authmin

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// maxMountInfo bounds how much of the mount table is read, in bytes: a host of a
// thousand containers has some 30,000 mounts of 200 bytes.
const maxMountInfo = 16 << 20

// mountTable is where Linux lists the mounts that this process sees.
const mountTable = "/proc/self/mountinfo"

// IsMountPoint reports whether a path, its links followed, is a mount point. For a
// file that means a mount of the single file, as with
// `-v /host/tokens:/etc/tokens` or a Kubernetes subPath. On a system without a mount
// table it reports false.
func IsMountPoint(path string) (bool, error) {
	real, err := filepath.EvalSymlinks(path)
	if err != nil {
		return false, fmt.Errorf("looking for a mount: %w", err)
	}
	table, err := os.Open(mountTable)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("looking for a mount: %w", err)
	}
	defer table.Close()
	mounts, err := ParseMounts(table)
	for _, m := range mounts {
		if m.Point == real {
			return true, nil
		}
	}
	return false, err
}

// Mount is one line of a table of mounts (proc_pid_mountinfo(5)).
type Mount struct {
	Device string // MAJOR:MINOR of the file system
	Root   string // what of the file system is mounted; the kernel adds //deleted when it has been removed
	Point  string // where
}

// ParseMounts reads a table of mounts.
func ParseMounts(table io.Reader) ([]Mount, error) {
	const device, root, point, least = 2, 3, 4, 5
	var mounts []Mount
	scanner := bufio.NewScanner(io.LimitReader(table, maxMountInfo))
	scanner.Buffer(nil, 64<<10) // a path is at most 4 KiB, each byte of it four characters
	for scanner.Scan() {
		fields := strings.SplitN(scanner.Text(), " ", least+1)
		if len(fields) <= least {
			continue
		}
		mounts = append(mounts, Mount{fields[device], unescapeMount(fields[root]), unescapeMount(fields[point])})
	}
	if err := scanner.Err(); err != nil {
		return mounts, fmt.Errorf("reading the table of mounts: %w", err)
	}
	return mounts, nil
}

// unescapeMount undoes the kernel's \ooo for blanks, line ends and backslashes.
func unescapeMount(text string) string {
	if !strings.Contains(text, `\`) {
		return text
	}
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if code, ok := octal(text[i:]); ok {
			out.WriteByte(code)
			i += 3
			continue
		}
		out.WriteByte(text[i])
	}
	return out.String()
}

// octal reads a backslash and three octal digits.
func octal(text string) (byte, bool) {
	if len(text) < 4 || text[0] != '\\' {
		return 0, false
	}
	code := 0
	for _, digit := range []byte(text[1:4]) {
		if digit < '0' || digit > '7' {
			return 0, false
		}
		code = code<<3 | int(digit-'0')
	}
	return byte(code), code <= 0xff
}
