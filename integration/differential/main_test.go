// Package differential_test compares how this gateway reads a request with how others
// read the same bytes: what they take for another model than the gateway has judged would
// be a way around its lists. It tests the readers of authmin from outside. It starts no
// process; how real servers read paths is in integration/upstreams.
package differential_test
