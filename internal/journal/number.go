package journal

import (
	"strconv"
	"time"
)

// key starts a value that is not a string.
func (l *line) key(key string) {
	if l.json {
		l.text = append(append(append(l.text, `,"`...), key...), `":`...)
		return
	}
	l.text = append(append(append(l.text, ' '), key...), '=')
}

func (l *line) number(key string, n int64) {
	l.key(key)
	l.text = strconv.AppendInt(l.text, n, 10)
}

// appendMillis appends a time as slog's text handler does, with three digits of
// the second. The layout with nanoseconds has a fast path; a fourth digit,
// added so that no zero is left out, is cut again.
func appendMillis(b []byte, t time.Time) []byte {
	end := len(b) + len("2006-01-02T15:04:05.000")
	b = t.Truncate(time.Millisecond).Add(time.Millisecond/10).AppendFormat(b, time.RFC3339Nano)
	return append(b[:end], b[end+1:]...)
}

// milliseconds writes a duration with three decimals.
func (l *line) milliseconds(key string, d time.Duration) {
	l.key(key)
	l.text = strconv.AppendFloat(l.text, float64(d.Microseconds())/1000, 'f', 3, 64)
}
