// Package staging brings the models of the orchestrator's catalog to a node: it
// downloads each once, verifies every byte, and gives engines a path.
//
// It is not a cache with eviction: what was staged stays until the operator
// removes it. It is not a mirror: it does not serve models to others. It trusts
// no source: only the SHA-256 of the catalog decides whether bytes are right.
//
// # One download
//
// [Stager.Stage] looks the entry up in the catalog (catalog.go), joins the
// download of the same bytes if one runs (flight.go), waits for a slot and for the
// lock that other processes with the same model root respect (partial.go), and
// reads what is missing (download.go, source_file.go, source_web.go). The file
// gets its final name, sha256-HEX in the model root, only after it was hashed and
// synced; engines never see a partial file.
//
// # Interruptions
//
// A partial file and a note of the source's validators lie in .staging below the
// model root. After a cut, a crash or a restart the download resumes with a range
// request; a source that has changed is read from its beginning. A source with the
// wrong bytes is not read again for 15 minutes (bad_source.go). Without the
// orchestrator a node starts with what the catalog said last, if the file is there.
//
// # What limits it
//
// Sources must be allowed by the operator (source.go), names are resolved once
// (package modelref), two downloads run at once, 1 GiB of the disk stays free and
// running downloads do not promise the same space twice (disk_quota.go). The model
// root and its files must not be writable by other users (package ownfile).
//
//	s := staging.New(staging.Options{
//		Root:    "/var/lib/llorch/models",
//		Hosts:   []string{"huggingface.co"},
//		Catalog: orchestrator.CatalogModel,
//	})
//	path, err := s.Stage(ctx, "catalog:qwen3-8b", nil)
package staging
