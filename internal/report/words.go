package report

import (
	"fmt"
	"strings"
	"time"
)

// date writes a moment in full.
func (w words) date(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.In(w.options.zone()).Format("2006-01-02 15:04:05 MST")
}

// span writes a range of time as somebody would say it on the day of the
// examination: "14:05 to 15:10 CET", "14:05 CET to tomorrow, 02:05".
func (w words) span(first, last time.Time) string {
	from, to := w.clock(first), w.clock(last)
	zone := first.In(w.options.zone()).Format("MST")
	if from == to {
		return "from " + from + " " + zone + " on"
	}
	return "from " + from + " to " + to + " " + zone
}

// clock writes a moment in whole minutes, rounded up so that nobody looks too
// early, with the day where it is another one than that of the examination.
func (w words) clock(t time.Time) string {
	t = t.In(w.options.zone())
	if up := t.Truncate(time.Minute); !up.Equal(t) {
		t = up.Add(time.Minute)
	}
	today := w.at.In(w.options.zone())
	switch days := daysBetween(today, t); days {
	case 0:
		return t.Format("15:04")
	case 1:
		return "tomorrow " + t.Format("15:04")
	default:
		return t.Format("2006-01-02 15:04")
	}
}

func daysBetween(a, b time.Time) int {
	day := func(t time.Time) time.Time { return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, time.UTC) }
	return int(day(b).Sub(day(a)) / (24 * time.Hour))
}

// Span writes a time in whole seconds without the parts that are nought: "1h",
// "5m", "1m30s".
func Span(d time.Duration) string {
	text := d.Round(time.Second).String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

// seconds writes how long something took.
func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

// milliseconds writes how long an answer took.
func milliseconds(d time.Duration) string {
	return fmt.Sprintf("%.1f ms", float64(d)/float64(time.Millisecond))
}
