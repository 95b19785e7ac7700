package config

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// setting is one key of the file, bound to the field that holds its value.
type setting struct {
	name string // "timeout"
	form string // what may be written, for people: `a duration of 1s to 20s`
	doc  string // whole sentences
	// example is a value in TOML, for a setting whose default is empty.
	example string

	// read takes a value of the decoder (string, int64, bool, []any,
	// map[string]any …) and tells the reader what is wrong with it.
	read func(r *reader, path string, v any)
	// write returns the value in TOML; nil for a table of rows.
	write func() string
	// rows returns the settings of each row of a [[table]], and blank those of
	// an empty row; nil for a single value.
	rows  func() [][]setting
	blank func() []setting
}

// section is a table of settings.
type section struct {
	name     string
	doc      string
	settings []setting
}

// reader collects what is wrong in a document.
type reader struct {
	*document
	problems []Problem
	warnings []Warning
}

func (r *reader) problem(path, text string) {
	at := r.at(path)
	r.problems = append(r.problems, Problem{File: r.file, Line: at.line, Column: at.column, Key: path, Text: text})
}

// sound reports whether nothing was wrong at the paths and below them so far.
func (r *reader) sound(paths ...string) bool {
	return !slices.ContainsFunc(r.problems, func(p Problem) bool {
		return slices.ContainsFunc(paths, func(path string) bool { return strings.HasPrefix(p.Key, path) })
	})
}

func (r *reader) warn(path, text string) {
	at := r.at(path)
	r.warnings = append(r.warnings, Warning{File: r.file, Line: at.line, Column: at.column, Key: path, Text: text})
}

// scalar makes a setting of one value.
func scalar[T any](name string, field *T, form, doc string, parse func(any) (T, error), write func(T) string) setting {
	return setting{
		name: name, form: form, doc: doc,
		read: func(r *reader, path string, v any) {
			value, err := parse(v)
			if err != nil {
				r.problem(path, err.Error())
				return
			}
			*field = value
		},
		write: func() string { return write(*field) },
	}
}

// list makes a setting of several values, each written as a string. A single
// string stands for a list of one.
func list[T any](name string, field *[]T, form, doc string, parse func(string) (T, error), write func(T) string) setting {
	read := func(r *reader, path string, v any) {
		items, ok := v.([]any)
		if !ok {
			items = []any{v}
		}
		values := make([]T, 0, len(items))
		for i, item := range items {
			at := path
			if ok {
				at = element(path, i)
			}
			value, err := ofText(parse)(item)
			if err != nil {
				r.problem(at, err.Error())
			}
			values = append(values, value)
		}
		*field = values
	}
	return setting{name: name, form: form, doc: doc, read: read, write: func() string {
		texts := make([]string, len(*field))
		for i, value := range *field {
			texts[i] = tomlString(write(value))
		}
		return "[" + strings.Join(texts, ", ") + "]"
	}}
}

// table makes a setting of rows, written [[section.name]]; row returns the
// settings of one, and check says what is wrong between them. Rows in a file
// replace those of the default.
func table[T any](name string, field *[]T, doc string, row func(*T) []setting, check func(T) error) setting {
	read := func(r *reader, path string, v any) {
		items, ok := v.([]any)
		if !ok {
			r.problem(path, "must be a list of tables, each written [["+path+"]]; got "+typeName(v))
			return
		}
		values := make([]T, 0, len(items))
		for i, item := range items {
			at := element(path, i)
			var value T
			before := len(r.problems)
			r.table(at, item, row(&value))
			if err := check(value); err != nil && len(r.problems) == before {
				r.problem(at, err.Error())
			}
			values = append(values, value)
		}
		*field = values
	}
	return setting{
		name: name, form: "a list of tables", doc: doc, read: read,
		blank: func() []setting { return row(new(T)) },
		rows: func() [][]setting {
			var out [][]setting
			for i := range *field {
				out = append(out, row(&(*field)[i]))
			}
			return out
		},
	}
}

// table reads a table whose keys are the settings.
func (r *reader) table(path string, v any, settings []setting) {
	values, ok := v.(map[string]any)
	if !ok {
		r.problem(path, "must be a table, got "+typeName(v))
		return
	}
	for _, s := range settings {
		if value, ok := values[s.name]; ok {
			s.read(r, join(path, s.name), value)
		}
	}
	for key := range values {
		if !slices.ContainsFunc(settings, func(s setting) bool { return s.name == key }) {
			r.problem(join(path, key), "no such setting"+r.suggest(path, key, settings))
		}
	}
}

// suggest names the setting that was probably meant: one of the same table, or
// else the same name in another one.
func (r *reader) suggest(path, key string, settings []setting) string {
	var names []string
	for _, s := range settings {
		names = append(names, s.name)
	}
	if name := nearest(key, names); name != "" {
		return ": did you mean " + name + "?"
	}
	for _, s := range sections(Default()) {
		for _, other := range s.settings {
			if other.name == key {
				return ": did you mean " + s.name + "." + key + "?"
			}
		}
	}
	return ": known here are " + strings.Join(names, ", ")
}

// ofText makes a parser of strings one of values.
func ofText[T any](parse func(string) (T, error)) func(any) (T, error) {
	return func(v any) (T, error) {
		s, ok := v.(string)
		if !ok {
			var zero T
			return zero, fmt.Errorf("must be a string in quotes, got %s", typeName(v))
		}
		return parse(s)
	}
}

func text(name string, field *string, form, doc string, parse func(string) (string, error)) setting {
	return scalar(name, field, form, doc, ofText(parse), tomlString)
}

// choice makes a setting of a few words.
func choice[T ~string](name string, field *T, words []string, doc string) setting {
	parse := func(s string) (T, error) {
		if slices.Contains(words, s) {
			return T(s), nil
		}
		if near := nearest(s, words); near != "" {
			return "", fmt.Errorf("%s is not known: did you mean %q?", quote(s), near)
		}
		return "", fmt.Errorf("%s is not %s", quote(s), alternatives(words))
	}
	return scalar(name, field, alternatives(words), doc, ofText(parse), func(v T) string { return tomlString(string(v)) })
}

func boolean(name string, field *bool, doc string) setting {
	parse := func(v any) (bool, error) {
		b, ok := v.(bool)
		if !ok {
			return false, fmt.Errorf("must be true or false, got %s", typeName(v))
		}
		return b, nil
	}
	return scalar(name, field, "true or false", doc, parse, strconv.FormatBool)
}

func integer(name string, field *int, least, most int, doc string) setting {
	span := fmt.Sprintf("a number of %d to %d", least, most)
	parse := func(v any) (int, error) {
		n, ok := v.(int64)
		if !ok {
			return 0, fmt.Errorf("must be %s, got %s", span, typeName(v))
		}
		if n < int64(least) || n > int64(most) {
			return 0, fmt.Errorf("must be %s, got %d", span, n)
		}
		return int(n), nil
	}
	return scalar(name, field, span, doc, parse, strconv.Itoa)
}

// mode makes a setting of UNIX permission bits, written in octal.
func mode(name string, field *uint32, doc string) setting {
	parse := func(s string) (uint32, error) {
		n, err := strconv.ParseUint(s, 8, 32)
		if err != nil || n > 0o777 || len(s) > 4 {
			return 0, fmt.Errorf(`%s is not a mode in octal, such as "0660"`, quote(s))
		}
		if n&0o600 != 0o600 {
			return 0, errors.New(`the owner must be able to read and write: write "0600", "0660" or "0666"`)
		}
		return uint32(n), nil
	}
	write := func(n uint32) string { return fmt.Sprintf(`"%04o"`, n) }
	return scalar(name, field, `a mode in octal, such as "0660"`, doc, ofText(parse), write)
}

// typeName names the TOML type of a decoder's value.
func typeName(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64:
		return "an integer"
	case float64:
		return "a float"
	case bool:
		return "a boolean"
	case []any:
		return "a list"
	case map[string]any:
		return "a table"
	default:
		return "a date or time"
	}
}

// tomlString writes a basic string of TOML 1.0.
func tomlString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, c := range s {
		switch {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteRune(c)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, c)
		default:
			b.WriteRune(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}
