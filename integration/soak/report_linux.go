package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"text/tabwriter"
	"time"
)

// report is what a run tells, as text and as JSON.
type report struct {
	Begin    time.Time          `json:"begin"`
	Now      time.Time          `json:"now"`
	Done     bool               `json:"done"`
	Settings string             `json:"settings"`
	Calm     string             `json:"calm"`  // when it was, and how many elections it had
	Rules    map[string]int     `json:"rules"` // how often each was broken
	Breaches []breach           `json:"breaches"`
	Counts   map[string]int     `json:"counts"`
	Longest  map[string]float64 `json:"longest_seconds"`
	Quiet    []usage            `json:"usage_calm"`
	Whole    []usage            `json:"usage_whole"`
}

// fill takes the counts of a tally.
func (r *report) fill(t *tally) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r.Rules, r.Longest = map[string]int{}, map[string]float64{}
	for _, rule := range rules {
		r.Rules[rule] = t.broken[rule]
	}
	for name, d := range t.longest {
		r.Longest[name] = d.Seconds()
	}
	r.Breaches, r.Counts = slices.Clone(t.breaches), maps.Clone(t.counts)
}

// print writes the text.
func (r *report) print(out io.Writer) {
	state := "it goes on"
	if r.Done {
		state = "it is done"
	}
	fmt.Fprintf(out, "soak since %s, %s: %s\n%s\n\n", r.Begin.UTC().Format(time.RFC3339), r.Now.Sub(r.Begin).Round(time.Second), state, r.Settings)
	fmt.Fprintln(out, "rules, and how often each was broken:")
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, rule := range rules {
		fmt.Fprintf(w, "  %s\t%d\n", rule, r.Rules[rule])
	}
	_ = w.Flush() // to memory or a file: an error shows in the next line
	fmt.Fprintf(out, "\ncalm: %s\n", r.Calm)
	for _, b := range r.Breaches {
		fmt.Fprintf(out, "  %s %s: %s\n", b.Time.Format(time.RFC3339), b.Rule, b.What)
	}
	fmt.Fprintln(out, "\ncounts:")
	w = tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	for _, name := range slices.Sorted(maps.Keys(r.Counts)) {
		fmt.Fprintf(w, "  %s\t%d\n", name, r.Counts[name])
	}
	fmt.Fprintln(w, "\nlongest, in seconds:")
	for _, name := range slices.Sorted(maps.Keys(r.Longest)) {
		fmt.Fprintf(w, "  %s\t%.2f\n", name, r.Longest[name])
	}
	_ = w.Flush()
	printUsage(out, "the calm part", r.Quiet)
	printUsage(out, "the whole", r.Whole)
}

func printUsage(out io.Writer, span string, all []usage) {
	if len(all) == 0 {
		return
	}
	fmt.Fprintf(out, "\n%s, each as first / last / most, and the change an hour in its second half:\n", span)
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	fmt.Fprintln(w, "  process\tstarts\tRSS MiB\t/h\tgoroutines\t/h\tdescriptors\t/h\tdisk MiB\t/h\tcore")
	for _, u := range all {
		fmt.Fprintf(w, "  %s\t%d\t%s\t%s\t%s\t%s\t%.3f\n", u.Process, u.Starts, cell(u.Memory), cell(u.Goroutines), cell(u.Descriptors), cell(u.Disk), u.CPU)
	}
	_ = w.Flush()
}

func cell(f figures) string {
	return fmt.Sprintf("%.0f / %.0f / %.0f\t%+.1f", f.First, f.Last, f.Max, f.Slope)
}

// save writes text and JSON. Each replaces the file before by a rename, so that a reader
// of a run that goes on sees a whole one.
func (r *report) save(path string) error {
	write := func(path string, print func(io.Writer) error) error {
		f, err := os.Create(path + ".next")
		if err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
		if err := print(f); err != nil {
			f.Close()
			return fmt.Errorf("writing the report: %w", err)
		}
		if err := f.Close(); err != nil {
			return fmt.Errorf("writing the report: %w", err)
		}
		return os.Rename(path+".next", path)
	}
	if err := write(path, func(w io.Writer) error { r.print(w); return nil }); err != nil {
		return err
	}
	return write(beside(path, ".json"), func(w io.Writer) error {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(r)
	})
}
