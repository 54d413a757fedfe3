package main

// What the store keeps to: sync, files, certificates, messages of replicas.

var orchestratorStore = []Mutant{
	{
		Name: "store/file-mode", Control: "the mode of nodes.json is 0600",
		File: "orchestrator/store/dir_marker.go", Package: "./orchestrator/store", Tests: "TestAFileOfAReplicaIsPrivate",
		Old: "os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o600)",
		New: "os.O_CREATE|os.O_WRONLY|os.O_TRUNC, 0o644)",
	},
	{
		Name: "store/peers/sender", Control: "peers' messages name a replica",
		File: "orchestrator/store/peers.go", Package: "./orchestrator/store", Tests: "TestAMessageWithoutASenderIsNone",
		Old: "|| !clusterName.MatchString(from) {",
		New: "|| false && (!clusterName.MatchString(from)) {",
	},
	{
		Name: "store/external/credentials-mode", Control: "credentials that others read are refused",
		File: "orchestrator/store/external.go", Package: "./orchestrator/store", Tests: "TestCredentialsWithUnsafePermissionsAreRefused",
		Old: "\tcase info.Mode().Perm()&credsForbidden != 0:",
		New: "\tcase false && (info.Mode().Perm()&credsForbidden != 0):",
	},
	{
		Name: "store/peers/own-message", Control: "a replica's own messages are not a peer's",
		File: "orchestrator/store/peers.go", Package: "./orchestrator/store", Tests: "TestReplicasHearEachOther",
		Old: "\tif from == p.replica ||",
		New: "\tif false && (from == p.replica) ||",
	},
	{
		Name: "store/peers/size", Control: "a message between replicas is bounded",
		File: "orchestrator/store/peers.go", Package: "./orchestrator/store", Tests: "TestReplicasHearEachOther",
		Old: "\tif len(body) > MaxRecordBytes {",
		New: "\tif false && (len(body) > MaxRecordBytes) {",
	},
	{
		Name: "store/cluster/peers-names", Control: "api.md configuration: mutual TLS with the peers' names",
		File: "orchestrator/store/cluster_tls.go", Package: "./orchestrator/store", Tests: "TestStrangersCannotJoin",
		Old: "\t\t\tif len(s.PeerCertificates) == 0 || !c.namesPeer(s.PeerCertificates[0]) {",
		New: "\t\t\tif false && (len(s.PeerCertificates) == 0 || !c.namesPeer(s.PeerCertificates[0])) {",
	},
	{
		Name: "store/cluster/key-mode", Control: "a key that others read is refused",
		File: "orchestrator/store/cluster_tls.go", Package: "./orchestrator/store", Tests: "TestUnsafeClustersAreRefused",
		Old: "\tif info.Mode().Perm()&0o007 != 0 {",
		New: "\tif false && (info.Mode().Perm()&0o007 != 0) {",
	},
	{
		Name: "store/cluster/own-name", Control: "a certificate without the peers' names is refused at the start",
		File: "orchestrator/store/cluster_tls.go", Package: "./orchestrator/store", Tests: "TestUnsafeClustersAreRefused",
		Old: "\tif !c.namesPeer(leaf) {",
		New: "\tif false && (!c.namesPeer(leaf)) {",
	},
	{
		Name: "store/cluster/plain-routes", Control: "api.md configuration: without TLS a route address that is not loopback refuses to start",
		File: "orchestrator/store/cluster_tls.go", Package: "./orchestrator/store", Tests: "TestUnsafeClustersAreRefused",
		Old: "\t\tif !c.loopback() {",
		New: "\t\tif false && (!c.loopback()) {",
	},
	{
		Name: "store/sync-always", Control: "api.md queue: an acknowledged task survives kill -9 and the loss of power (SyncAlways)",
		File: "orchestrator/store/server_start.go", Package: "./orchestrator/store", Tests: "TestWhatIsAcknowledgedIsSynced",
		Old: "\t\tSyncAlways:             !o.Fast, // the default is one fsync every two minutes",
		New: "\t\tSyncAlways:             false,",
	},
}
