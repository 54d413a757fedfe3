package main

import (
	"sync"
	"syscall"
	"testing"
	"time"
	"unsafe"
)

// cost is what one turn took.
type cost struct {
	wall time.Duration
	cpu  time.Duration // of the gateway's process, user and system
}

func (c cost) plus(d cost) cost { return cost{c.wall + d.wall, c.cpu + d.cpu} }

// turn sends a batch over all connections, each of which has its next request
// out as soon as it has an answer, and returns what that took.
func (s *setup) turn(b *testing.B, address, token string, want int) cost {
	cpu, begin := s.cpu(b), time.Now()
	var wg sync.WaitGroup
	for range s.clients {
		wg.Go(func() {
			for range s.batch / s.clients {
				if got, err := s.ask(address, token); err != nil || got != want {
					b.Errorf("got %d, %v, want %d", got, err, want)
					return
				}
			}
		})
	}
	wg.Wait()
	return cost{time.Since(begin), s.cpu(b) - cpu}
}

// cpu is the processor time that the gateway has had.
func (s *setup) cpu(b *testing.B) time.Duration {
	// clock_getcpuclockid(3): the clock of a process is made of its id.
	clock := uintptr(^s.gateway.PID()<<3 | 2)
	var at syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clock, uintptr(unsafe.Pointer(&at)), 0); errno != 0 {
		b.Fatalf("reading the gateway's processor time: %v", errno)
	}
	return time.Duration(at.Nano())
}

// compare runs two kinds of turn in the order A B B A, so that what drifts weighs
// on both alike, and reports of all such rounds:
//
//	throughput            first to second in time: 0.98 is 2 % less in a second
//	throughput-low, -high where the median is with 95 % confidence
//	cpu                   the same of the gateway's processor time alone: what is
//	                      left of the throughput when clients and upstream run on
//	                      other machines
//	first-µs, second-µs   the gateway's processor time for one request
func (s *setup) compare(b *testing.B, first, second func() cost) {
	var wall, cpu, firstCPU, secondCPU []float64
	second() // warm up
	first()
	for b.Loop() {
		x := first()
		y := second().plus(second())
		x = x.plus(first())
		wall = append(wall, float64(x.wall)/float64(y.wall))
		cpu = append(cpu, float64(x.cpu)/float64(y.cpu))
		firstCPU = append(firstCPU, x.cpu.Seconds()*1e6/float64(2*s.batch))
		secondCPU = append(secondCPU, y.cpu.Seconds()*1e6/float64(2*s.batch))
	}
	low, high := interval(wall)
	b.ReportMetric(median(wall), "throughput")
	b.ReportMetric(low, "throughput-low")
	b.ReportMetric(high, "throughput-high")
	b.ReportMetric(median(cpu), "cpu")
	b.ReportMetric(median(firstCPU), "first-µs")
	b.ReportMetric(median(secondCPU), "second-µs")
	b.ReportMetric(0, "ns/op") // seconds of a turn say nothing
}
