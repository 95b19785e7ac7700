package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// unit is a word behind a number, and what it stands for.
type unit struct {
	name string
	size int64
}

var (
	durationUnits = []unit{
		{"d", int64(day)}, {"h", int64(time.Hour)}, {"m", int64(time.Minute)}, {"s", int64(time.Second)}, {"ms", int64(time.Millisecond)},
	}
	sizeUnits = []unit{{"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}
)

// quantity is a kind of number with a unit, within bounds.
type quantity struct {
	noun    string // "a duration"
	example string // "5s"
	units   []unit
	least   int64
	most    int64
}

func (q quantity) format(n int64) string {
	for _, u := range q.units {
		if n%u.size == 0 && n != 0 {
			return strconv.FormatInt(n/u.size, 10) + u.name
		}
	}
	return strconv.FormatInt(n, 10) + q.units[len(q.units)-1].name
}

// span says what is allowed.
func (q quantity) span() string {
	return fmt.Sprintf("%s to %s", q.format(q.least), q.format(q.most))
}

func (q quantity) form() string {
	return fmt.Sprintf(`%s such as "%s", %s`, q.noun, q.example, q.span())
}

// parse reads a whole number in ASCII digits and a unit, without a blank.
func (q quantity) parse(v any) (int64, error) {
	if n, ok := v.(int64); ok {
		return 0, fmt.Errorf(`%d has no unit: write %s such as "%s"; allowed are %s`, n, q.noun, q.example, q.span())
	}
	s, ok := v.(string)
	if !ok {
		return 0, fmt.Errorf(`must be %s such as "%s", got %s; allowed are %s`, q.noun, q.example, typeName(v), q.span())
	}
	digits := len(s) - len(strings.TrimLeft(s, "0123456789"))
	number, name := s[:digits], s[digits:]
	if number != "" && name == "" {
		return 0, fmt.Errorf(`%s has no unit: write %s such as "%s"; allowed are %s`, quote(s), q.noun, q.example, q.span())
	}
	for _, u := range q.units {
		if u.name != name || number == "" {
			continue
		}
		n, err := strconv.ParseInt(number, 10, 64)
		if err != nil || n > math.MaxInt64/u.size || n*u.size < q.least || n*u.size > q.most {
			return 0, fmt.Errorf("%s is out of range: allowed are %s", quote(s), q.span())
		}
		return n * u.size, nil
	}
	return 0, fmt.Errorf(`%s is not %s such as "%s", a whole number and one of the units %s; allowed are %s`,
		quote(s), q.noun, q.example, q.unitNames(), q.span())
}

func (q quantity) unitNames() string {
	names := make([]string, len(q.units))
	for i, u := range q.units {
		names[len(names)-1-i] = u.name
	}
	return strings.Join(names, ", ")
}

// measured makes a setting of a quantity.
func measured[T ~int64](name string, field *T, q quantity, doc string) setting {
	parse := func(v any) (T, error) {
		n, err := q.parse(v)
		return T(n), err
	}
	return scalar(name, field, q.form(), doc, parse, func(v T) string { return tomlString(q.format(int64(v))) })
}

func durations(example string, least, most time.Duration) quantity {
	return quantity{noun: "a duration", example: example, units: durationUnits, least: int64(least), most: int64(most)}
}

func sizes(example string, least, most int64) quantity {
	return quantity{noun: "a size", example: example, units: sizeUnits, least: least, most: most}
}
