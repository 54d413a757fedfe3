// Package backend is what a service behind the gateway stands on: the check of
// credentials, and a router that lists its routes.
//
// The gateway decides at the edge with package authmin; a service behind it
// decides again with the same code, because a request may reach it without the
// gateway.
package backend
