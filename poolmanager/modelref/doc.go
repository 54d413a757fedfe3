// Package modelref is how models are named and where their bytes may come from.
// The orchestrator, which verifies the models of its catalog, and the pool
// manager, which downloads them, both use it, so that one rule decides what may
// be read.
//
// It is not a downloader and not a catalog: it parses, checks and connects. The
// reader of a model must hash every byte of it; no check here makes a source trustworthy.
//
// # References
//
// A task, a template or a pool names a model in one of three ways; [Split] tells
// them apart and [Parse] checks the spelling as well:
//
//	NAME        what an engine calls it: llama3.2:1b, org/model-7B
//	file:NAME   a file below the model root
//	catalog:ID  an entry of the orchestrator's catalog
//
// A name is never a flag, a shell word or a way up, so that it can become an
// engine's argument.
//
// # Connecting
//
// [Dialer] resolves each host of one download once, connects to what it found,
// and refuses the addresses that [AddressAllowed] refuses: this machine, its
// link, and the metadata services of clouds. So neither a name that changes after
// it was checked nor a redirect leads inside.
//
// [Client] is the HTTP client of one download, for the orchestrator's verification and
// the pool manager's staging alike.
//
// The example of the package parses references and checks sources against a list.
package modelref
