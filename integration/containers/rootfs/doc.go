// Package rootfs starts the image's root file system where no container engine answers: in
// namespaces of its own, read-only, without root's rights, as an engine would.
// It has tests alone, with the tag containers.
package rootfs
