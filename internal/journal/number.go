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

// milliseconds writes a duration with three decimals.
func (l *line) milliseconds(key string, d time.Duration) {
	l.key(key)
	l.text = strconv.AppendFloat(l.text, float64(d.Microseconds())/1000, 'f', 3, 64)
}
