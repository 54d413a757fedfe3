// Package packages builds the packages of deploy/packages, and installs, upgrades and
// removes them: `go test -tags packages ./integration/packages`, as root. The system tree
// is this machine's, below an overlay in a mount namespace of the test's own, so that
// nothing of it changes.
package packages
