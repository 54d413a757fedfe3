// Command orchestratord runs the orchestrator as a daemon.
//
//	orchestratord --config F              runs
//	orchestratord --config F --check      validates and exits
//	orchestratord --version               prints the version and exits
//	orchestratord health --config F       exit status 0 if the one of F answers; --ready: takes work
//	orchestratord manpage --directory DIR writes its manual page
//	orchestratord status --config F       how its replica and the cluster are; exit status 0 if it takes work
//	orchestratord migrate --help          a single server's state into a cluster, and back
//
// TERM and INT stop it: no new tasks, running ones finished (after the time that
// drain_ms gives them), streams ended. The process is then gone within 5 s.
//
// HUP reads again what can change while it runs: tokens in files, the cluster's
// certificate and the log level. It says what is in use now and what needs a
// restart, and disturbs no request. Tokens in files need no HUP: a change is in
// use within a second.
//
// # Configuration
//
// One YAML file, in which an unknown key is an error, and the variables in brackets,
// which win; one that is empty is an error. A list in a variable is separated by commas,
// and node_models is written as identity=model,model;identity=model there.
//
// --help lists the keys, with defaults and variables, as does
// deploy/docs/configuration.md: both are made from the settings as they are declared.
// deploy/README.md says what several replicas need.
//
// A task may set both of its limits itself, as deadline_ms and stream_limit_ms. In a
// native call, which is a request to an engine's own API such as POST
// /v1/chat/completions, the header X-Deadline-Ms replaces deadline_ms.
//
// A variable that begins with ORCHD_ or ORCHESTRATORD_ and is none of these, or is
// spelled almost as one of them, is a typing error and refused by its name.
//
// Credentials come from variables or, better, from files that NAME_FILE names, never from
// the YAML. One in a file may change while it runs: the new one is in use within a second,
// and a bad one leaves the last good one in use, which the log and the metric
// llorch_token_source_errors_total say.
package main
