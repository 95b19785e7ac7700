package config

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/pelletier/go-toml/v2"
	"github.com/pelletier/go-toml/v2/unstable"
)

// document is a TOML file as values, with the place of each.
type document struct {
	file   string
	tree   map[string]any
	places map[string]place // by path: "listen.policy[1]"
}

// place is a line and a column, both from 1; the zero place is unknown.
type place struct{ line, column int }

// parseDocument reads TOML. The decoder finds what is wrong with the syntax,
// repeated keys included; the places come from a second walk, because the
// decoder tells those of errors only.
func parseDocument(file string, data []byte) (*document, *Problem) {
	if p := checkEncoding(file, data); p != nil {
		return nil, p
	}
	data = bytes.TrimPrefix(data, []byte(utf8BOM))
	d := &document{file: file, tree: map[string]any{}, places: map[string]place{}}
	if err := toml.Unmarshal(data, &d.tree); err != nil {
		return nil, syntaxProblem(file, err)
	}
	w := walk{document: d, lines: lineStarts(data), counts: map[string]int{}}
	w.all(data)
	return d, nil
}

const (
	utf8BOM    = "\ufeff"
	utf16BigBE = "\xfe\xff"
	utf16LitLE = "\xff\xfe"
)

// checkEncoding refuses what is not text in UTF-8, with a better word than the
// decoder has.
func checkEncoding(file string, data []byte) *Problem {
	if bytes.HasPrefix(data, []byte(utf16BigBE)) || bytes.HasPrefix(data, []byte(utf16LitLE)) {
		return &Problem{File: file, Line: 1, Column: 1, Text: "the file is UTF-16: save it as UTF-8"}
	}
	if at := bytes.IndexByte(data, 0); at >= 0 {
		line := 1 + bytes.Count(data[:at], []byte{'\n'})
		column := at - bytes.LastIndexByte(data[:at], '\n')
		return &Problem{File: file, Line: line, Column: column, Text: "the file holds a NUL octet: save it as plain UTF-8 text"}
	}
	return nil
}

func syntaxProblem(file string, err error) *Problem {
	p := &Problem{File: file, Text: "not TOML: " + ascii(strings.TrimPrefix(err.Error(), "toml: "))}
	var decode *toml.DecodeError
	if errors.As(err, &decode) {
		p.Line, p.Column = decode.Position()
	}
	return p
}

// at returns the place of the path, or of the nearest thing around it.
func (d *document) at(path string) place {
	for path != "" {
		if pl, ok := d.places[path]; ok {
			return pl
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return place{}
}

// walk notes the places of a document.
type walk struct {
	*document
	parser unstable.Parser
	lines  []int          // offsets of the beginnings of lines
	counts map[string]int // elements so far of each [[table]]
}

func (w *walk) all(data []byte) {
	w.parser.Reset(data)
	table := ""
	for w.parser.NextExpression() {
		e := w.parser.Expression()
		switch e.Kind {
		case unstable.Table:
			table = w.key("", e.Key())
		case unstable.ArrayTable:
			table = w.arrayTable(e)
		case unstable.KeyValue:
			w.value(w.key(table, e.Key()), e.Value())
		}
	}
}

// key notes each part of a dotted key below the path, and returns the path of
// the last. A part that is an array of tables stands for its last element.
func (w *walk) key(path string, parts unstable.Iterator) string {
	for parts.Next() {
		n := parts.Node()
		path = join(path, string(n.Data))
		w.note(path, n)
		if count := w.counts[path]; count > 0 && !parts.IsLast() {
			path = element(path, count-1)
		}
	}
	return path
}

func (w *walk) arrayTable(e *unstable.Node) string {
	path := w.key("", e.Key())
	n := w.counts[path]
	w.counts[path] = n + 1
	path = element(path, n)
	first := e.Key()
	first.Next()
	w.note(path, first.Node())
	return path
}

func (w *walk) value(path string, v *unstable.Node) {
	switch v.Kind {
	case unstable.Array:
		items := v.Children()
		for i := 0; items.Next(); {
			item := items.Node()
			if item.Kind == unstable.Comment {
				continue
			}
			w.note(element(path, i), item)
			w.value(element(path, i), item)
			i++
		}
	case unstable.InlineTable:
		pairs := v.Children()
		for pairs.Next() {
			if pair := pairs.Node(); pair.Kind == unstable.KeyValue {
				w.value(w.key(path, pair.Key()), pair.Value())
			}
		}
	}
}

// note files the first place of a path. Nodes without octets of their own, such
// as inline tables, have none.
func (w *walk) note(path string, n *unstable.Node) {
	if _, known := w.places[path]; known || n.Raw.Length == 0 {
		return
	}
	offset := int(n.Raw.Offset)
	line, exact := slices.BinarySearch(w.lines, offset)
	if exact {
		line++
	}
	w.places[path] = place{line: line, column: offset - w.lines[line-1] + 1}
}

func lineStarts(data []byte) []int {
	starts := []int{0}
	for i, c := range data {
		if c == '\n' {
			starts = append(starts, i+1)
		}
	}
	return starts
}

// bareKey is what TOML lets stand without quotes.
var bareKey = regexp.MustCompile(`^[A-Za-z0-9_-]{1,60}$`)

func join(path, key string) string {
	if !bareKey.MatchString(key) {
		key = quote(key)
	}
	if path == "" {
		return key
	}
	return path + "." + key
}

func element(path string, i int) string { return fmt.Sprintf("%s[%s]", path, strconv.Itoa(i)) }
