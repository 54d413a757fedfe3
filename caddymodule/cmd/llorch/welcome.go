package main

import (
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/google/uuid"
	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
)

// printWelcome prints what runs, example commands, and how clients are set up. A token generated at this
// start is shown here and nowhere else.
func printWelcome(w io.Writer, o upOptions, client clientToken, model string) error {
	var b strings.Builder
	style := styleOf(w)
	fmt.Fprintln(&b, style.title("llorch is up at "+o.url()))
	if o.page != "" {
		fmt.Fprintln(&b, "The page for people is at "+o.pageURL()+": open it, and sign in with the token.")
	}
	if o.engine == "demo" {
		b.WriteString(style.warning("The engine is a DEMO: it makes words up and runs no model. Use --engine for a real one.") + "\n")
	}
	if o.config == "" {
		b.WriteString("\n" + tokenLines(client) + "\n")
	}
	if open, err := authmin.ParseOptional(os.Getenv(caddymodule.EnvOptional)); err == nil && open && o.config == "" {
		b.WriteString(style.warning("AUTH_OPTIONAL is on: programs on this machine need no token, and neither do requests through a tunnel that adds no forwarding header.") + "\n")
	}
	task, err := uuid.NewV7()
	if err != nil {
		return fmt.Errorf("making an id: %w", err)
	}
	const auth = `-H "Authorization: Bearer $LLORCH_API_TOKEN"`
	fmt.Fprintf(&b, "\nA request without a token, refused (401):\n  curl -i %s/v2/tasks\n", o.url())
	fmt.Fprintf(&b, "A task:\n  curl %s -H 'Content-Type: application/json' -d '{\"task_id\":\"%s\",\"model_ref\":\"%s\",\"prompt\":\"hello\",\"max_tokens\":16}' %s/v2/tasks\n", auth, task, model, o.url())
	fmt.Fprintf(&b, "Its event stream:\n  curl -N %s %s/v2/tasks/%s/events\n", auth, o.url(), task)
	fmt.Fprintf(&b, "The metrics:\n  curl %s %s/metrics\n", auth, o.url())
	fmt.Fprintf(&b, "A chat:\n  curl %s -H 'Content-Type: application/json' -d '{\"model\":\"%s\",\"messages\":[{\"role\":\"user\",\"content\":\"hello\"}]}' %s/v1/chat/completions\n", auth, model, o.url())
	fmt.Fprintf(&b, "\nBase URL of OpenAI's clients: %[1]s/v1, of Anthropic's and Ollama's: %[1]s; the key is $LLORCH_API_TOKEN.\n", o.url())
	fmt.Fprintf(&b, "  export OPENAI_BASE_URL=%s/v1 OPENAI_API_KEY=\"$LLORCH_API_TOKEN\"\n", o.url())
	fmt.Fprintf(&b, "  export ANTHROPIC_BASE_URL=%s ANTHROPIC_API_KEY=\"$LLORCH_API_TOKEN\"\n", o.url())
	fmt.Fprintf(&b, "\nLog: %s/llorch.log   Stop: Ctrl-C\n", o.dataDir)
	_, err = io.WriteString(w, b.String())
	return err
}

// tokenLines describe where the token is.
func tokenLines(client clientToken) string {
	switch {
	case client.fromEnv:
		return "The token is the one in the environment."
	case client.generated.IsZero():
		return "The token is the one that the first start printed; only its hash is in " + client.keyring + ".\n" +
			"If it is lost: llorch authmin token rotate --file " + client.keyring + " " + ownerName
	}
	return "Your token, shown only now (its hash is in " + client.keyring + "). In the shell that you use:\n" +
		"  export LLORCH_API_TOKEN=" + client.generated.Reveal()
}
