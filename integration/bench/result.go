package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

// figure is a median and the interval in which it lies with 95 % confidence.
type figure struct {
	Median float64 `json:"median"`
	Low    float64 `json:"low"`
	High   float64 `json:"high"`
}

func figureOf(values []float64) figure {
	low, high := interval(values)
	return figure{median(values), low, high}
}

// row is one proxy with one kind of request. Times are microseconds for each request.
type row struct {
	Proxy string `json:"proxy"`
	Shape string `json:"shape"`
	CPU   figure `json:"cpu_us"`        // of the proxy's processes; 0 where it runs elsewhere
	Ratio figure `json:"cpu_to_caddy"`  // to the stock Caddy in the same round; 0 without it
	First figure `json:"first_byte_us"` // from the request to the first byte of the answer's body
	Wall  figure `json:"wall_us"`       // time of a round, divided by its requests
}

// result is all that was measured.
type result struct {
	Time    time.Time          `json:"time"`
	CPUs    int                `json:"cpus"`
	Rounds  int                `json:"rounds"`
	Proxies []*proxy           `json:"proxies"`
	Idle    map[string]float64 `json:"memory_idle_mib"`
	Loaded  map[string]float64 `json:"memory_loaded_mib"`
	Rows    []row              `json:"rows"`
}

// reference is the proxy that the others are compared with.
const reference = "caddy"

// compareAll gives each proxy its turns. The order of a round is that of the round before
// backwards.
func compareAll(ctx context.Context, b *bench, running []*proxy, wanted []shape, rounds int, progress io.Writer) (*result, error) {
	r := &result{Time: time.Now().UTC(), CPUs: runtime.NumCPU(), Rounds: rounds, Proxies: running, Idle: memories(running)}
	for _, s := range wanted {
		fmt.Fprintf(progress, "%s …\n", s.name)
		turns := map[string][]turn{}
		order := slices.Clone(running)
		for round := range rounds + 1 { // the first warms up
			for _, p := range order {
				if err := ctx.Err(); err != nil {
					return nil, err
				}
				t, err := b.turn(ctx, p, s)
				if err != nil {
					return nil, err
				}
				if round > 0 {
					turns[p.Name] = append(turns[p.Name], t)
				}
			}
			slices.Reverse(order)
		}
		for _, p := range running {
			r.Rows = append(r.Rows, rowOf(p.Name, s.name, turns[p.Name], turns[reference]))
		}
	}
	r.Loaded = memories(running)
	return r, nil
}

func memories(running []*proxy) map[string]float64 {
	all := map[string]float64{}
	for _, p := range running {
		if len(p.commands) > 0 {
			all[p.Name] = p.memory()
		}
	}
	return all
}

func rowOf(name, shape string, turns, references []turn) row {
	var cpu, first, wall, ratio []float64
	for i, t := range turns {
		cpu, first, wall = append(cpu, t.cpu), append(first, t.first), append(wall, t.wall)
		if i < len(references) && references[i].cpu > 0 {
			ratio = append(ratio, t.cpu/references[i].cpu)
		}
	}
	r := row{Proxy: name, Shape: shape, CPU: figureOf(cpu), First: figureOf(first), Wall: figureOf(wall)}
	if len(ratio) > 0 {
		r.Ratio = figureOf(ratio)
	}
	return r
}

// print writes a table for each kind of request.
func (r *result) print(out io.Writer) {
	w := tabwriter.NewWriter(out, 0, 8, 2, ' ', tabwriter.AlignRight)
	last := ""
	for _, row := range r.Rows {
		if row.Shape != last {
			last = row.Shape
			fmt.Fprintf(w, "\n%s\tcpu µs\tto %s\t95 %%\tfirst byte µs\twall µs\t\n", row.Shape, reference)
		}
		if row.CPU.Median == 0 {
			fmt.Fprintf(w, "%s\t\t\t\t%.0f\t%.0f\t\n", row.Proxy, row.First.Median, row.Wall.Median)
			continue
		}
		fmt.Fprintf(w, "%s\t%.0f\t%.2f\t%.2f–%.2f\t%.0f\t%.0f\t\n", row.Proxy, row.CPU.Median, row.Ratio.Median, row.Ratio.Low, row.Ratio.High, row.First.Median, row.Wall.Median)
	}
	fmt.Fprintf(w, "\nresident MiB\tidle\tloaded\t\n")
	for _, p := range r.Proxies {
		if _, ok := r.Idle[p.Name]; ok {
			fmt.Fprintf(w, "%s\t%.0f\t%.0f\t\n", p.Name, r.Idle[p.Name], r.Loaded[p.Name])
		}
	}
	_ = w.Flush() // a table that cannot be printed is seen
	fmt.Fprintln(out)
	for _, p := range r.Proxies {
		fmt.Fprintf(out, "%s: %s\n", p.Name, p.Description)
	}
}
