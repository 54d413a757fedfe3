// Package testkit has what the tests of every package need: waiting for a
// condition, free addresses, certificates, a client for a Unix socket, and a buffer
// that is safe to read while it is written. It imports the standard library only, so
// that the tests of every layer may import it (see layers_test.go at the root).
// Package gatewaytest starts our programs.
//
// Waiting:
//   - [Eventually] for a condition, within [Limit]
//   - [Within] for a call that stops failing, within a limit of its own
//   - [Poll] is Within without a test
//
// Addresses, certificates and sockets:
//   - [FreeAddress], [FreeAddressOn]
//   - [NewAuthority], [Authority.Issue]
//   - [SocketClient]
//
// Output:
//   - [Buffer]
//   - [Golden], [GoldenLines], [Updating]: golden files, and the flag -update
//
// Contracts:
//   - [CheckRoutes] compares a list of routes with an OpenAPI document
package testkit
