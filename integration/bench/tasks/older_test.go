package tasks_test

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"testing"
)

// BenchmarkAgainstOlder compares orchestrator and pool manager with those of another
// version, whose programs are in the folder that LLORCH_BENCH_OLDER names; without it with
// themselves, which shows the noise. The gateway and the client are the same, the demo engine
// is the version's own, and both chains are asked in turn, so that the ratios hold on a
// busy machine. The processor time is that of both daemons, in user space and in the kernel.
// A version that does not send the key of url_key_file with its calls cannot be compared.
func BenchmarkAgainstOlder(b *testing.B) {
	older, newer := startChainOf(b, os.Getenv(olderPrograms), "5ms"), startChain(b, "5ms")
	var cost, first, rate []float64
	for b.Loop() {
		a, z := older.round(b), newer.round(b)
		cost, first, rate = append(cost, z.cost/a.cost), append(first, z.first-a.first), append(rate, z.rate/a.rate)
		b.Logf("older: %.1f µs a token, %.2f ms to the first; newer: %.1f µs, %.2f ms", a.cost, a.first, z.cost, z.first)
	}
	b.ReportMetric(median(cost), "cpu-ratio")
	b.ReportMetric(quantile(cost, 0), "cpu-ratio-min")
	b.ReportMetric(quantile(cost, 1), "cpu-ratio-max")
	b.ReportMetric(median(first), "ms-first-token-more")
	b.ReportMetric(median(rate), "rate-ratio")
	b.ReportMetric(0, "ns/op")
}

// roundFigures is one turn of one chain.
type roundFigures struct {
	cost  float64 // microseconds of the processor a token
	first float64 // milliseconds to a first token, the median
	rate  float64 // tokens a second of all streams
}

func (c *chain) round(b *testing.B) roundFigures {
	b.Helper()
	var firsts []float64
	for range firstTokens / 2 {
		firsts = append(firsts, c.through.firstToken(b))
	}
	before := c.processorTime(b)
	rate := c.through.throughput(b)
	return roundFigures{cost: (c.processorTime(b) - before) / (streams * streamed), first: median(firsts), rate: rate}
}

// processorTime is that of the two daemons so far, in microseconds, in steps of 10 ms.
func (c *chain) processorTime(b *testing.B) (micros float64) {
	b.Helper()
	for _, pid := range []int{c.orchestrator.PID(), c.poolManager.PID()} {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			b.Fatal(err)
		}
		fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
		for _, field := range fields[11:13] { // utime and stime, proc(5), in ticks of 10 ms
			ticks, err := strconv.Atoi(string(field))
			if err != nil {
				b.Fatal(err)
			}
			micros += float64(ticks) * 10_000
		}
	}
	return micros
}
