package budget

import (
	"time"

	"github.com/llorch/gateway/authmin"
)

// Window returns the window of a period that contains a time: its beginning and its end,
// which is the beginning of the next one. Windows are in UTC.
func Window(period authmin.BudgetPeriod, at time.Time) (start, end time.Time) {
	at = at.UTC()
	year, month, day := at.Date()
	switch period {
	case authmin.BudgetHour:
		start = time.Date(year, month, day, at.Hour(), 0, 0, 0, time.UTC)
		return start, start.Add(time.Hour)
	case authmin.BudgetDay:
		start = time.Date(year, month, day, 0, 0, 0, 0, time.UTC)
		return start, start.AddDate(0, 0, 1)
	}
	start = time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
	return start, start.AddDate(0, 1, 0)
}

// windowsBetween returns how many windows of a period begin after the one that begins at
// from, up to the one that begins at to.
func windowsBetween(period authmin.BudgetPeriod, from, to time.Time) int64 {
	switch period {
	case authmin.BudgetHour:
		return (to.Unix() - from.Unix()) / int64(time.Hour/time.Second)
	case authmin.BudgetDay:
		return (to.Unix() - from.Unix()) / int64(24*time.Hour/time.Second)
	}
	const months = 12
	return int64(to.Year()-from.Year())*months + int64(to.Month()-from.Month())
}
