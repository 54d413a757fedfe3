// Package testkit has what the tests of every package need: waiting for a
// condition, free addresses, certificates, and a buffer that is safe to read
// while it is written. It imports the standard library only, so that the tests
// of every layer may import it (see layers_test.go at the root). What starts our
// programs is in gatewaytest.
//
// Waiting:
//   - [Eventually] for a condition, within [Limit]
//   - [Within] for a call that stops failing, within a limit of its own
//   - [Poll] is Within without a test
//
// Addresses and certificates:
//   - [FreeAddress], [FreeAddressOn]
//   - [NewAuthority], [Authority.Issue]
//
// Output:
//   - [Buffer]
package testkit
