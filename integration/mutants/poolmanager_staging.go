package main

// What a staged model is checked for.

var poolmanagerStaging = []Mutant{
	{
		Name: "staging/irregular-file", Control: "a FIFO is no model",
		File: "poolmanager/staging/file.go", Package: "./poolmanager", Tests: "TestALinkCannotLeaveTheModelRoot",
		Old: "\tif !info.Mode().IsRegular() {",
		New: "\tif false && (!info.Mode().IsRegular()) {",
	},
	{
		Name: "staging/disk", Control: "space of the disk is reserved",
		File: "poolmanager/staging/disk_quota.go", Package: "./poolmanager/staging", Tests: "TestADownloadThatDoesNotFitOnTheDiskIsRefused",
		Old: "\tif free-promised-wanted < diskReserve {",
		New: "\tif false && (free-promised-wanted < diskReserve) {",
	},
	{
		Name: "staging/resume-of-another-version", Control: "a resumed download is of one version",
		File: "poolmanager/staging/source_web.go", Package: "./poolmanager/staging", Tests: "TestAPartOfAnotherVersionIsNotAppended",
		Old: `		if !ok || start != at || known.Length >= 0 && length >= 0 && length != known.Length || known.ETag != "" && v.ETag != "" && v.ETag != known.ETag {`,
		New: `		if false && (!ok || start != at || known.Length >= 0 && length >= 0 && length != known.Length || known.ETag != "" && v.ETag != "" && v.ETag != known.ETag) {`,
	},
	{
		Name: "staging/partial-of-its-source", Control: "a partial file belongs to its source",
		File: "poolmanager/staging/partial.go", Package: "./poolmanager/staging", Tests: "TestAPartialFileBelongsToItsSource",
		Old: "p.side.Digest != wanted.Digest || p.side.Source != wanted.Source {",
		New: "p.side.Digest != wanted.Digest || false && (p.side.Source != wanted.Source) {",
	},
	{
		Name: "staging/digest", Control: "api.md preload: checked by SHA-256 before use",
		File: "poolmanager/staging/partial.go", Package: "./poolmanager/staging", Tests: "TestASourceWithTheWrongDigestIsNotReadRepeatedly",
		Old: "\tif got := hex.EncodeToString(p.sum.Sum(nil)); got != p.hex {",
		New: "\tif got := hex.EncodeToString(p.sum.Sum(nil)); false && (got != p.hex) {",
	},
	{
		Name: "staging/changed-file", Control: "a staged file that changed is hashed again",
		File: "poolmanager/staging/verify.go", Package: "./poolmanager/staging", Tests: "TestAStagedFileThatChangedIsHashedAgain",
		Old: "readJSON(s.verifiedPath(hex), &then) == nil && then == now {",
		New: "readJSON(s.verifiedPath(hex), &then) == nil && (true || (then == now)) {",
	},
	{
		Name: "staging/modified-file", Control: "a staged file with another digest is removed",
		File: "poolmanager/staging/verify.go", Package: "./poolmanager/staging", Tests: "TestAStagedFileThatChangedIsHashedAgain",
		Old: "\tif got == hex {",
		New: "\tif got == hex || true {",
	},
	{
		Name: "staging/catalogs-digest", Control: "the catalog names a digest",
		File: "poolmanager/staging/catalog.go", Package: "./poolmanager/staging", Tests: "TestOnlyAModelThatTheCatalogVouchesForIsStaged",
		Old: "\tcase !modelref.ValidDigest(m.Digest):",
		New: "\tcase false && (!modelref.ValidDigest(m.Digest)):",
	},
	{
		Name: "staging/catalogs-id", Control: "the catalog answers for the model that was asked for",
		File: "poolmanager/staging/catalog.go", Package: "./poolmanager/staging", Tests: "TestOnlyAModelThatTheCatalogVouchesForIsStaged",
		Old: "\tcase m.ID != id:",
		New: "\tcase false && (m.ID != id):",
	},
	{
		Name: "staging/not-verified", Control: "what the catalog could not verify is not staged",
		File: "poolmanager/staging/catalog.go", Package: "./poolmanager/staging", Tests: "TestOnlyAModelThatTheCatalogVouchesForIsStaged",
		Old: "\tcase m.Verification.Status == nodeapi.NotVerified:",
		New: "\tcase false && (m.Verification.Status == nodeapi.NotVerified):",
	},
	{
		Name: "staging/retired", Control: "a retired model is not staged",
		File: "poolmanager/staging/catalog.go", Package: "./poolmanager/staging", Tests: "TestOnlyAModelThatTheCatalogVouchesForIsStaged",
		Old: "\tcase !m.TakesTasks(now):",
		New: "\tcase false && (!m.TakesTasks(now)):",
	},
	{
		Name: "staging/trust-policy", Control: "what cannot be checked is not staged",
		File: "poolmanager/staging/catalog.go", Package: "./poolmanager/staging", Tests: "TestOnlyAModelThatTheCatalogVouchesForIsStaged",
		Old: `	case m.TrustPolicy != "" && m.TrustPolicy != "digest":`,
		New: `	case false && (m.TrustPolicy != "" && m.TrustPolicy != "digest"):`,
	},
	{
		Name: "staging/owner-of-a-file", Control: "a file of another user is not used",
		File: "poolmanager/staging/layout.go", Package: "./poolmanager/staging", Tests: "TestOtherUsersCannotPlantAFile",
		Old: "\tif !info.Mode().IsRegular() || !ok || int(stat.Uid) != os.Getuid() || stat.Nlink > 1 || info.Mode().Perm()&0o022 != 0 {",
		New: "\tif false && (!info.Mode().IsRegular() || !ok || int(stat.Uid) != os.Getuid() || stat.Nlink > 1 || info.Mode().Perm()&0o022 != 0) {",
	},
	{
		Name: "staging/root-that-others-write", Control: "others may not write to the model root",
		File: "poolmanager/staging/layout.go", Package: "./poolmanager/staging", Tests: "TestOtherUsersCannotPlantAFile",
		Old: "\tcase info.Mode().Perm()&0o022 != 0:",
		New: "\tcase false && (info.Mode().Perm()&0o022 != 0):",
	},
}
