// Package ownfile checks that no other user can have written a file or put another
// one in its place, and tells whether a file has changed. Handoff files, staged
// models and partial downloads are trusted only after these checks.
//
// It is not a sandbox: root, and programs of the same user, can write anything.
// Check the open file, not its path: what lies under a path can change between the
// check and the use.
//
//	info, err := file.Stat()
//	if err != nil {
//		return err
//	}
//	if err := ownfile.CheckInfo(info); err != nil {
//		return err // another user could have written it
//	}
package ownfile
