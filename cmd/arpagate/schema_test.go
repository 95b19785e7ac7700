package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/finding"
)

// schemaPart is a part of a JSON Schema, its fields in the order of the file.
type schemaPart struct {
	name        string
	Ref         string          `json:"$ref"`
	Description string          `json:"description"`
	Type        any             `json:"type"`
	Items       *schemaPart     `json:"items"`
	Properties  json.RawMessage `json:"properties"`
	Defs        json.RawMessage `json:"$defs"`

	fields, defs schemaParts
}

type schemaParts struct{ named []*schemaPart }

func readSchema(t *testing.T, body []byte) *schemaPart {
	t.Helper()
	var s schemaPart
	if err := json.Unmarshal(body, &s); err != nil {
		t.Fatal(err)
	}
	s.fields, s.defs = readParts(t, s.Properties), readParts(t, s.Defs)
	if s.Items != nil {
		s.Items.fields = readParts(t, s.Items.Properties)
	}
	return &s
}

// readParts reads an object whose order matters.
func readParts(t *testing.T, body json.RawMessage) (out schemaParts) {
	t.Helper()
	if len(body) == 0 {
		return out
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	if _, err := decoder.Token(); err != nil {
		t.Fatal(err)
	}
	for decoder.More() {
		key, err := decoder.Token()
		if err != nil {
			t.Fatal(err)
		}
		var value json.RawMessage
		if err := decoder.Decode(&value); err != nil {
			t.Fatal(err)
		}
		if strings.HasPrefix(string(value), "{") {
			part := readSchema(t, value)
			part.name = fmt.Sprint(key)
			out.named = append(out.named, part)
		}
	}
	return out
}

// table writes the fields of a part, and those of what lies in them.
func (s *schemaPart) table(b *strings.Builder) {
	b.WriteString("\n| field | | meaning |\n|---|---|---|\n")
	s.rows(b, "")
}

func (s *schemaPart) rows(b *strings.Builder, path string) {
	for _, f := range s.fields.named {
		name, inner := path+f.name, f
		if f.Items != nil {
			name, inner = name+"[]", f.Items
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, inner.shape(), f.Description)
		inner.rows(b, name+".")
	}
}

// shape names the shape of a value where it has a table of its own.
func (s *schemaPart) shape() string {
	switch name := strings.TrimPrefix(s.Ref, "#/$defs/"); name {
	case "", "text", "ip", "verdict", "action", "code", "fault", "state", "effect", "severity":
		return ""
	default:
		return "[" + name + "](#" + name + ")"
	}
}

// checkTable is the findings that only the doctor makes.
func checkTable(*testing.T) string {
	var b strings.Builder
	b.WriteString("\n| finding | what it means | what to do | |\n|---|---|---|---|\n")
	for _, e := range finding.All() {
		if e.Doctor {
			fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", e.Code, e.Title, e.Remedy, e.RFC)
		}
	}
	return b.String() + "\n"
}
