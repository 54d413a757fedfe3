package caddymodule

import (
	"strings"
	"testing"
)

// A configuration in which a budget would count nothing is refused before it serves.
func TestABudgetThatCannotCountIsRefused(t *testing.T) {
	keyring := t.TempDir() + "/tokens"
	writeFile(t, keyring, "# format 2\nfile sha256:"+digestOf("a token of the file").Hex()+" infer budget=2Mtokens/day\n# end 1\n", 0o600)
	dir, open := t.TempDir(), t.TempDir()+"/none"
	const site = "http://:8080 {\n\tbind 127.0.0.1\n\tauthmin edge {\n\t\trequire infer /*\n\t\tOPTION\n\t}\n\trespond ok\n}\n"
	token := "\t\ttoken few {env.TEST_INFER} infer {\n\t\t\tBUDGET\n\t\t}\n"
	of := func(budget string) string { return strings.Replace(token, "BUDGET", budget, 1) }
	for name, c := range map[string]struct{ globals, option, want string }{
		"no state_dir":                {of("budget 2M tokens per day"), "usage", "state_dir"},
		"no state_dir, of a scope":    {of("models *") + "\t\tbudget infer 9 requests per day\n", "usage", "state_dir"},
		"no state_dir, of a guard":    {of("models *"), "budget 9 requests per day", "state_dir"},
		"no state_dir, of a keyring":  {"\t\ttoken_file " + keyring + "\n", "usage", "state_dir"},
		"no directory":                {of("budget 9 requests per day") + "\t\tstate_dir " + open + "\n", "usage", "there is no directory"},
		"no guard counts":             {of("budget 2M tokens per day") + "\t\tstate_dir " + dir + "\n", "plaintext", "no guard counts tokens"},
		"no guard counts a keyring's": {"\t\ttoken_file " + keyring + "\n\t\tstate_dir " + dir + "\n", "plaintext", "no guard counts tokens"},
		"no guard counts a scope's":   {of("models *") + "\t\tstate_dir " + dir + "\n\t\tbudget infer 2M tokens per day\n", "plaintext", "no guard counts tokens"},
		"the guard does not count":    {of("models *") + "\t\tstate_dir " + dir + "\n", "budget 2M tokens per day", "write `usage` into the guard"},
		"requests need no usage":      {of("budget 9 requests per day") + "\t\tstate_dir " + dir + "\n", "budget 9 requests per day", ""},
		"tokens with usage":           {of("budget 2M tokens per day") + "\t\tstate_dir " + dir + "\n", "usage", ""},
	} {
		t.Run(name, func(t *testing.T) {
			err := validate(t, options("\tauthmin {\n"+c.globals+"\t}\n")+strings.Replace(site, "OPTION", c.option, 1))
			switch {
			case c.want == "" && err != nil:
				t.Error(err)
			case c.want != "":
				expectRefused(t, err, c.want)
			}
		})
	}
}
