package main

import (
	"fmt"
	"io"
	"time"

	"github.com/llorch/gateway/poolmanager/nodeapi"
)

// liveInterval is how often the line of a terminal is written again.
const liveInterval = time.Second

// progressMeter shows how far the download of a model is, and how long one loads: on a
// terminal one line that is written again each second, elsewhere a line of its own every
// readyNotice, and the download alone: waitReporter has the rest.
type progressMeter struct {
	to    io.Writer
	live  bool // a terminal
	phase string
	begun time.Time // of the phase
	first int64     // bytes that were there then
	last  time.Time // when it was shown
	open  bool      // the line of the terminal has no end yet
}

// update is called at each poll. It reports whether there is progress that it shows.
func (m *progressMeter) update(now time.Time, p *nodeapi.Progress) bool {
	if p == nil || !m.live && p.Phase != nodeapi.PhaseDownloading {
		m.end()
		return false
	}
	if p.Phase != m.phase || p.DoneBytes < m.first {
		m.end()
		m.phase, m.begun, m.first, m.last = p.Phase, now, p.DoneBytes, now
	}
	interval := readyNotice
	if m.live {
		interval = liveInterval
	}
	if now.Sub(m.last) < interval {
		return true
	}
	m.last, m.open = now, m.live
	text := m.text(now, p)
	if m.live {
		_, _ = fmt.Fprintf(m.to, "\r\x1b[K%s", text)
	} else {
		_, _ = fmt.Fprintln(m.to, text)
	}
	return true
}

// end finishes the line of a terminal.
func (m *progressMeter) end() {
	if m.open {
		_, _ = fmt.Fprintln(m.to)
	}
	m.phase, m.open = "", false
}

// text is the progress in words: bytes, rate, and the time that is left at that rate.
func (m *progressMeter) text(now time.Time, p *nodeapi.Progress) string {
	elapsed := now.Sub(m.begun)
	if p.Phase != nodeapi.PhaseDownloading {
		size := ""
		if p.TotalBytes > 0 {
			size = ", " + bytesText(p.TotalBytes)
		}
		return fmt.Sprintf("loading the model%s: %s", size, elapsed.Round(time.Second))
	}
	rate := int64(float64(p.DoneBytes-m.first) / elapsed.Seconds())
	if p.TotalBytes <= 0 {
		return fmt.Sprintf("downloading the model: %s, %s/s", bytesText(p.DoneBytes), bytesText(rate))
	}
	text := fmt.Sprintf("downloading the model: %s of %s (%d %%), %s/s", bytesText(p.DoneBytes), bytesText(p.TotalBytes), p.DoneBytes*100/p.TotalBytes, bytesText(rate))
	if rate > 0 {
		left := time.Duration(float64(p.TotalBytes-p.DoneBytes) / float64(rate) * float64(time.Second))
		text += fmt.Sprintf(", %s left", left.Round(time.Second))
	}
	return text
}

// bytesText is a number of bytes for people.
func bytesText(n int64) string {
	const units = "KMGTPE"
	if n < 1<<10 {
		return fmt.Sprintf("%d B", n)
	}
	value, unit := float64(n)/(1<<10), 0
	for value >= 1000 && unit < len(units)-1 {
		value, unit = value/(1<<10), unit+1
	}
	return fmt.Sprintf("%.1f %ciB", value, units[unit])
}
