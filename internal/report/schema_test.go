package report_test

import (
	"bytes"
	"encoding/json"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/arpagate/arpagate/internal/dnsname"
	"github.com/arpagate/arpagate/internal/doctor"
	"github.com/arpagate/arpagate/internal/finding"
	"github.com/arpagate/arpagate/internal/report"
	"github.com/arpagate/arpagate/internal/untrusted"
)

const schemaFile = "../../docs/schema/check-1.json"

// TestSchema holds the documents to the published schema.
func TestSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	for what, x := range examinations(t) {
		t.Run(what, func(t *testing.T) {
			var out bytes.Buffer
			if err := report.JSON(&out, x, report.Options{}); err != nil {
				t.Fatal(err)
			}
			document, err := jsonschema.UnmarshalJSON(&out)
			if err != nil {
				t.Fatal(err)
			}
			if err := schema.Validate(document); err != nil {
				t.Errorf("%#v", err)
			}
		})
	}
}

// TestSchemaRefuses proves that the schema can say no.
func TestSchemaRefuses(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	const start = `{"schema":1,"target":"x","verdict":"unknown","at":"2026-11-23T12:00:00Z","took_ms":1,"partial":false,"findings":[],"servers":[],`
	for text, valid := range map[string]bool{
		start + `"problems":[],"addresses":[]}`: true,
		`{}`:                                    false,
		strings.Replace(start, `"schema":1`, `"schema":2`, 1) + `"problems":[],"addresses":[]}`: false,
		strings.Replace(start, `"unknown"`, `"perhaps"`, 1) + `"problems":[],"addresses":[]}`:   false,
		start + `"problems":null,"addresses":[]}`:                                               false,
		start + `"problems":[{"cause":{"code":"new"}}],"addresses":[]}`:                         false,
		start + `"problems":[],"addresses":[{}]}`:                                               false,
		start + `"problems":[],"addresses":[],"iprev":{}}`:                                      false,
	} {
		document, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(document); (err == nil) != valid {
			t.Errorf("%s: %v", text, err)
		}
	}
}

// shape is a part of the schema.
type shape struct {
	Ref         string           `json:"$ref"`
	Description string           `json:"description"`
	Properties  map[string]shape `json:"properties"`
	Items       *shape           `json:"items"`
	Additional  *shape           `json:"additionalProperties"`
	Defs        map[string]shape `json:"$defs"`
}

// TestSchemaKnowsEveryField fills every field that an examination can have, and
// wants each in the schema with a description: docs/check.md is made from it.
func TestSchemaKnowsEveryField(t *testing.T) {
	body, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	var schema shape
	if err := json.Unmarshal(body, &schema); err != nil {
		t.Fatal(err)
	}
	var x doctor.Examination
	fill(reflect.ValueOf(&x).Elem(), nil)
	var out bytes.Buffer
	if err := report.JSON(&out, &x, report.Options{}); err != nil {
		t.Fatal(err)
	}
	var document any
	if err := json.Unmarshal(out.Bytes(), &document); err != nil {
		t.Fatal(err)
	}
	compare(t, "", schema, schema.Defs, document)
}

func compare(t *testing.T, path string, s shape, defs map[string]shape, value any) {
	t.Helper()
	if name, ok := strings.CutPrefix(s.Ref, "#/$defs/"); ok {
		s = defs[name]
	}
	switch v := value.(type) {
	case map[string]any:
		for key, inner := range v {
			field, ok := s.Properties[key]
			switch {
			case !ok && s.Additional != nil:
			case !ok || field.Description == "":
				t.Errorf("%s does not describe %s.%s", schemaFile, path, key)
			default:
				compare(t, path+"."+key, field, defs, inner)
			}
		}
		for key := range s.Properties {
			if _, ok := v[key]; !ok && path != "" && key != "stale" && key != "error" && key != "reply" {
				t.Errorf("%s describes %s.%s, which is never printed", schemaFile, path, key)
			}
		}
	case []any:
		for _, inner := range v {
			if s.Items == nil {
				t.Fatalf("%s: %s is no list", schemaFile, path)
			}
			compare(t, path+"[]", *s.Items, defs, inner)
		}
	}
}

// fill gives every field a value that is printed.
func fill(v reflect.Value, within []reflect.Type) {
	if known := valueOf(v.Type()); known != nil {
		v.Set(reflect.ValueOf(known))
		return
	}
	for _, outer := range within {
		if outer == v.Type() {
			return
		}
	}
	within = append(within[:len(within):len(within)], v.Type())
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).IsExported() {
				fill(v.Field(i), within)
			}
		}
	case reflect.Pointer:
		for _, outer := range within {
			if outer == v.Type().Elem() {
				return
			}
		}
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), within)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		fill(v.Index(0), within)
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		v.SetMapIndex(reflect.ValueOf("bind"), reflect.ValueOf("x"))
	case reflect.String:
		v.SetString("x")
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Float64:
		v.SetFloat(1)
	case reflect.Int, reflect.Int64:
		v.SetInt(1)
	default:
		v.SetUint(1)
	}
}

func valueOf(t reflect.Type) any {
	for _, known := range []any{
		noon, time.Second, asked, ns1, netip.MustParsePrefix("192.0.2.0/24"), dnsname.MustParse("example.org"), untrusted.New("x"),
		finding.PTRMissing, finding.Failure, doctor.Fail,
	} {
		if reflect.TypeOf(known) == t {
			return known
		}
	}
	return nil
}
