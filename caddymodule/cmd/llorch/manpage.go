package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/llorch/gateway/authmin/backend"
	"github.com/spf13/cobra"
	"github.com/spf13/cobra/doc"
)

// manpageCommand replaces Caddy's, whose pages are headed Caddy and dated today: these
// have the date of the commit, so that a package can be built twice.
func manpageCommand() *cobra.Command {
	var directory string
	cmd := &cobra.Command{
		Use: "manpage --directory DIR", Short: "Writes manual pages, one for each command", Args: cobra.NoArgs,
		Long: "Writes llorch.8 and a page for each command into a directory, which is made. A package\ninstalls them in /usr/share/man/man8.",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if directory == "" {
				return errors.New("manpage: want --directory DIR")
			}
			if err := os.MkdirAll(directory, 0o755); err != nil {
				return fmt.Errorf("manpage: %w", err)
			}
			root := cmd.Root()
			root.DisableAutoGenTag = true
			build := backend.ThisBuild()
			date := build.Date()
			header := &doc.GenManHeader{Title: "LLORCH", Section: "8", Date: &date, Source: "llorch " + build.Version, Manual: "llorch"}
			return doc.GenManTree(root, header, directory)
		},
	}
	cmd.Flags().StringVarP(&directory, "directory", "o", "", "Where the pages go")
	return cmd
}
