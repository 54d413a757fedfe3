package poolmanager

import "slices"

// refusedByEngine is what requests to an engine may not have unless a template says
// otherwise: members that unload or reconfigure it for all its callers, choose among
// them, or have it fetch, read or run something in the operator's name.
// deploy/docs/engines.md names the version and the place in the source of each.
var refusedByEngine = map[string][]string{
	"demo":     {},
	"llamacpp": {"id_slot", "lora", "autoload"},
	"vllm": {
		"kv_transfer_params", "ec_transfer_params", "vllm_xargs.kv_transfer_params", "vllm_xargs.ec_transfer_params", "priority", "request_id",
	},
	"sglang": {
		"lora_path", "custom_logit_processor", "bootstrap_host", "bootstrap_port", "bootstrap_room", "routed_dp_rank", "disagg_prefill_dp_rank",
		"data_parallel_rank", "session_params", "rid", "priority", "custom_labels", "ngram_corpus_id",
	},
	"ollama": {
		"keep_alive", "shift", "options.num_gpu", "options.main_gpu", "options.num_batch", "options.num_thread", "options.use_mmap",
		"options.draft_num_predict", "options.num_ctx <= 32768", "tools.type = web_search*",
	},
}

// forgetful are the engines that keep no responses and ignore previous_response_id: they
// would answer as if nothing was said before. Ollama v0.17.4, openai/responses.go: a
// request (line 274) has no such member, and every answer (line 750) says "store": false.
// vLLM, SGLang and llama.cpp refuse an id that they do not know.
var forgetful = []string{"ollama"}

// remembers reports whether a response can be named in a later request: not for the engines
// that are listed as forgetful.
func (t Template) remembers() bool { return !slices.Contains(forgetful, t.Engine) }

// shippedRefusals gives the refused members of an engine by its kind, and those of all
// engines for an unknown kind.
func shippedRefusals(engine string) []string {
	if list, ok := refusedByEngine[engine]; ok {
		return list
	}
	var all []string
	for _, name := range []string{"llamacpp", "vllm", "sglang", "ollama"} {
		for _, member := range refusedByEngine[name] {
			if !slices.Contains(all, member) {
				all = append(all, member)
			}
		}
	}
	return all
}
