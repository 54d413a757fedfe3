package cli

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/llorch/gateway/authmin"
	"github.com/llorch/gateway/caddymodule"
	"github.com/spf13/cobra"
)

func init() {
	subcommands = append(subcommands, tokenCommand)
}

func tokenCommand() *cobra.Command {
	cmd := group(&cobra.Command{
		Use:   "token",
		Short: "Makes, rotates, revokes and lists the tokens of a keyring file",
		Long: `
A keyring file holds names, scopes and hashes, never tokens. It is named with
--file, or found by --config as the one token_file of a Caddyfile.`,
	})
	cmd.AddCommand(tokenNewCommand(), tokenRotateCommand(), tokenRevokeCommand(), tokenListCommand(), fingerprintCommand())
	return cmd
}

func tokenNewCommand() *cobra.Command {
	where := keyringFlags{creates: true}
	var expires, notBefore, models, budgets string
	cmd := &cobra.Command{
		Use:   "new NAME SCOPE... (--file PATH | --config CADDYFILE)",
		Short: "Makes a token, and prints it once to stdout",
		Example: `  llorch authmin token new ci infer --file /etc/llorch/tokens --expires 90d
  llorch authmin token new intern infer --models 'tiny,team-*' --file /etc/llorch/tokens
  llorch authmin token new guest infer --budget 2Mtokens/month,60requests/hour --file /etc/llorch/tokens
  llorch authmin token new prometheus metrics --config /etc/llorch/Caddyfile > prometheus.token`,
		Args: arguments(2, 1+authmin.MaxScopes, "NAME and at least one SCOPE, such as `ci infer`"),
		RunE: func(cmd *cobra.Command, args []string) error {
			now := time.Now()
			secret := authmin.RandomSecret()
			scopes, err := authmin.ParseScopes(strings.Join(args[1:], ","))
			if err != nil {
				return errors.New("token new: a scope is 1 to 64 of a-z, 0-9, _ and -, and is named once")
			}
			if slices.ContainsFunc(scopes, func(s authmin.Scope) bool { return len(s) >= authmin.MinTokenLength }) {
				return errors.New("token new: a scope is as long as a token, which has no place on a command line; choose a shorter one")
			}
			token := authmin.NewToken(args[0], secret, scopes...)
			token.Created = now.Unix()
			if token.Expires, err = parseWhen("--expires", expires, now); err != nil {
				return err
			}
			if token.NotBefore, err = parseWhen("--not-before", notBefore, now); err != nil {
				return err
			}
			if cmd.Flags().Changed("models") {
				if token.Models, err = authmin.ParseModels(models); err != nil {
					return fmt.Errorf("--models: %w", err)
				}
			}
			if cmd.Flags().Changed("budget") {
				if token.Budgets, err = authmin.ParseBudgets(budgets); err != nil {
					return fmt.Errorf("--budget: %w", err)
				}
			}
			if err := checkNewToken(&token, now); err != nil {
				return err
			}
			where.format2 = token.Models != nil || token.Budgets != nil
			where.wants = scopes
			return where.edit(cmd, args[0], secret, func(tokens []authmin.Token) ([]authmin.Token, error) {
				for i := range tokens {
					if v := tokens[i].VerdictAt(now); tokens[i].Name == token.Name && (v == authmin.VerdictValid || v == authmin.VerdictNotYet) {
						return nil, fmt.Errorf("token %s exists; replace it with `authmin token rotate`, or end it with `authmin token revoke`", token.Name)
					}
				}
				return append(tokens, token), nil
			})
		},
	}
	where.add(cmd)
	cmd.Flags().StringVar(&expires, "expires", "", "When it ends: 90d, 12h, or 2027-01-31T00:00:00Z (default: never)")
	cmd.Flags().StringVar(&models, "models", "", "The models that it may use: NAME[,NAME...], where * stands for any characters (default: every model)")
	cmd.Flags().StringVar(&budgets, "budget", "", "What it may use: 2Mtokens/day or 300requests/hour[,...]; /hard behind a budget of tokens ends streams with it (default: no budget)")
	cmd.Flags().StringVar(&notBefore, "not-before", "", "When it begins, in the same forms (default: now)")
	return cmd
}

func tokenRotateCommand() *cobra.Command {
	const defaultOverlap = "24h" // longer than the longest deadline of a task
	var where keyringFlags
	var overlap, expires string
	cmd := &cobra.Command{
		Use:   "rotate NAME (--file PATH | --config CADDYFILE) [--overlap 24h]",
		Short: "Makes a second token for a name, and ends the first after an overlap",
		Args:  arguments(1, 1, "one NAME"),
		RunE: func(cmd *cobra.Command, args []string) error {
			now := time.Now()
			end, err := parseWhen("--overlap", overlap, now)
			if err != nil {
				return err
			}
			secret := authmin.RandomSecret()
			next := authmin.NewToken(args[0], secret)
			next.Created = now.Unix()
			if next.Expires, err = parseWhen("--expires", expires, now); err != nil {
				return err
			}
			return where.edit(cmd, args[0], secret, func(tokens []authmin.Token) ([]authmin.Token, error) {
				return rotated(tokens, next, now, end)
			})
		},
	}
	where.add(cmd)
	cmd.Flags().StringVar(&overlap, "overlap", defaultOverlap, "How long the old token stays valid; longer than the longest request")
	cmd.Flags().StringVar(&expires, "expires", "", "When the new token ends (default: after as long as the old one had)")
	return cmd
}

// rotated adds a token with the scopes, models and budgets of the current one of its name, and lets
// the old ones expire at end. When the old token was limited in time, the new one has the same
// lifetime.
func rotated(tokens []authmin.Token, next authmin.Token, now time.Time, end int64) ([]authmin.Token, error) {
	var current authmin.Token
	found := false
	for i := range tokens {
		t := &tokens[i]
		if v := t.VerdictAt(now); t.Name != next.Name || v != authmin.VerdictValid && v != authmin.VerdictNotYet {
			continue
		}
		if !found || t.Expires == 0 || current.Expires != 0 && t.Expires > current.Expires {
			current, found = *t, true
		}
		if t.Expires == 0 || t.Expires > end {
			t.Expires = end
		}
	}
	if !found {
		return nil, caddymodule.ErrNoToken
	}
	next.Scopes, next.Models, next.Budgets = current.Scopes, current.Models, current.Budgets
	if next.Expires == 0 && current.Expires != 0 {
		next.Expires = current.Expires
		if current.Created != 0 {
			next.Expires = now.Unix() + current.Expires - current.Created
		}
	}
	return append(tokens, next), nil
}

func tokenRevokeCommand() *cobra.Command {
	var where keyringFlags
	var fp6 string
	cmd := &cobra.Command{
		Use:   "revoke NAME (--file PATH | --config CADDYFILE) [--fp6 X]",
		Short: "Revokes the tokens of a name, and returns when the running gateway has the change",
		Args:  arguments(1, 1, "one NAME; a token itself has no place on a command line"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return where.edit(cmd, args[0], authmin.Secret{}, func(tokens []authmin.Token) ([]authmin.Token, error) {
				return caddymodule.Revoke(tokens, args[0], fp6)
			})
		},
	}
	where.add(cmd)
	cmd.Flags().StringVar(&fp6, "fp6", "", "Only the token with this fingerprint; `token list` shows it")
	return cmd
}

// checkNewToken refuses a token that could never be used, and a name that looks like a
// token.
func checkNewToken(t *authmin.Token, now time.Time) error {
	if err := authmin.CheckTokenName(t.Name); err != nil {
		return errors.New("token new: a name is 1 to 64 of a-z, 0-9, _ and -, and not default, localhost or anonymous")
	}
	if len(t.Name) >= authmin.MinTokenLength {
		return fmt.Errorf("token new: a name of %d characters or more could be a token, which has no place on a command line; choose a shorter one", authmin.MinTokenLength)
	}
	if t.Expires != 0 && (t.Expires <= now.Unix() || t.Expires <= t.NotBefore) {
		return errors.New("token new: --expires is over before the token begins")
	}
	return nil
}
