package untrusted_test

import (
	"encoding/json"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/untrusted"
)

func TestEveryWayOfPrintingEscapes(t *testing.T) {
	const raw = "a\r\nX: \x1b[2J\x9b\u202e\\"
	const want = `a\013\010X: \027[2J\155\226\128\174\092`
	text := untrusted.New(raw)
	encoded, err := json.Marshal(text)
	if err != nil {
		t.Fatal(err)
	}
	var decoded string
	if err := json.Unmarshal(encoded, &decoded); err != nil {
		t.Fatal(err)
	}
	for how, got := range map[string]string{
		"String": text.String(), "%s": fmt.Sprintf("%s", text), "%v": fmt.Sprintf("%v", text), "%+v": fmt.Sprintf("%+v", text),
		"%x": fmt.Sprintf("%x", text), "JSON": decoded, "slog": text.LogValue().String(), "Append": string(untrusted.Append(nil, []byte(raw))),
	} {
		if got != want {
			t.Errorf("%s prints %q, want %q", how, got, want)
		}
	}
	if got := fmt.Sprintf("%q", text); got != `"`+strings.ReplaceAll(want, `\`, `\\`)+`"` {
		t.Errorf("%%q prints %s", got)
	}
	var line strings.Builder
	slog.New(slog.NewJSONHandler(&line, nil)).Info("x", "helo", text)
	if strings.IndexFunc(line.String(), func(r rune) bool { return r < ' ' && r != '\n' || r > '~' }) >= 0 {
		t.Errorf("log line holds control characters: %q", line.String())
	}
	if text.Raw() != raw {
		t.Errorf("Raw %q", text.Raw())
	}
}

func TestNewCuts(t *testing.T) {
	if got := len(untrusted.New(strings.Repeat("x", 100_000)).Raw()); got != untrusted.MaxLen {
		t.Errorf("kept %d octets", got)
	}
	if got := len(untrusted.Long(strings.Repeat("x", 100_000)).Raw()); got != untrusted.MaxLong {
		t.Errorf("kept %d octets of a long text", got)
	}
	var back untrusted.Text
	if err := back.UnmarshalText([]byte(strings.Repeat("x", 100_000))); err != nil || len(back.Raw()) != untrusted.MaxLong {
		t.Errorf("read back %d octets: %v", len(back.Raw()), err)
	}
	if !untrusted.New("").IsZero() || untrusted.New("a").IsZero() {
		t.Error("IsZero is wrong")
	}
}

func FuzzText(f *testing.F) {
	for _, seed := range []string{"", "mail.example.org", "\x00\xff\\", `\010`, "é\u202e"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		text := untrusted.Long(raw)
		shown := text.String()
		for i := range len(shown) {
			if shown[i] < 0x20 || shown[i] > 0x7e {
				t.Fatalf("%q is shown with octet %#x", raw, shown[i])
			}
		}
		var back untrusted.Text
		if err := back.UnmarshalText([]byte(shown)); err != nil || back != text {
			t.Fatalf("%q came back as %q: %v", text.Raw(), back.Raw(), err)
		}
	})
}
