package main

import "time"

// figures are one measure of one process over a span of time.
type figures struct {
	First float64 `json:"first"`
	Last  float64 `json:"last"`
	Max   float64 `json:"max"`
	Slope float64 `json:"slope_per_hour"` // over the second half of the span, of the newest run of the process in it
}

// usage is all figures of one process.
type usage struct {
	Process     string  `json:"process"`
	Samples     int     `json:"samples"`
	Starts      int     `json:"starts"`
	Memory      figures `json:"rss_mib"`
	Goroutines  figures `json:"goroutines"`
	Descriptors figures `json:"descriptors"`
	Disk        figures `json:"disk_mib"`
	CPU         float64 `json:"cpu_share"` // of one core, since the newest start
}

// usages gives the figures of all processes from begin to end.
func (r *series) usages(begin, end time.Time) (all []usage) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, name := range r.names {
		var in []sample
		for _, v := range r.all[name] {
			if !v.At.Before(begin) && !v.At.After(end) {
				in = append(in, v)
			}
		}
		if len(in) > 0 {
			all = append(all, usageOf(name, in))
		}
	}
	return all
}

func usageOf(name string, in []sample) usage {
	newest := in
	for i := range in {
		if in[i].Starts != in[len(in)-1].Starts {
			newest = in[i+1:]
		}
	}
	u := usage{Process: name, Samples: len(in), Starts: in[len(in)-1].Starts}
	const mib = 1 << 20
	u.Memory = figuresOf(in, newest, func(v sample) float64 { return float64(v.ResidentKiB) / 1024 })
	u.Goroutines = figuresOf(in, newest, func(v sample) float64 { return float64(v.Goroutines) })
	u.Descriptors = figuresOf(in, newest, func(v sample) float64 { return float64(v.Descriptors) })
	u.Disk = figuresOf(in, newest, func(v sample) float64 { return float64(v.DiskBytes) / mib })
	a, b := newest[0], newest[len(newest)-1]
	if d := b.At.Sub(a.At); d > 0 {
		u.CPU = (b.CPU - a.CPU).Seconds() / d.Seconds()
	}
	return u
}

// figuresOf takes the slope from what is both in the second half of all samples and of the
// newest run of the process.
func figuresOf(in, newest []sample, value func(sample) float64) figures {
	f := figures{First: value(in[0]), Last: value(in[len(in)-1])}
	for _, v := range in {
		f.Max = max(f.Max, value(v))
	}
	half := in[0].At.Add(in[len(in)-1].At.Sub(in[0].At) / 2)
	var x, y []float64
	for _, v := range newest {
		if !v.At.Before(half) {
			x, y = append(x, v.At.Sub(half).Hours()), append(y, value(v))
		}
	}
	f.Slope = slope(x, y)
	return f
}

// slope is that of the least squares' line; 0 for fewer than two points.
func slope(x, y []float64) float64 {
	var meanX, meanY float64
	for i := range x {
		meanX, meanY = meanX+x[i]/float64(len(x)), meanY+y[i]/float64(len(x))
	}
	var above, below float64
	for i := range x {
		above += (x[i] - meanX) * (y[i] - meanY)
		below += (x[i] - meanX) * (x[i] - meanX)
	}
	if below == 0 {
		return 0
	}
	return above / below
}
