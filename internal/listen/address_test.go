package listen_test

import (
	"strings"
	"testing"

	"github.com/arpagate/arpagate/internal/listen"
)

func TestParse(t *testing.T) {
	long := "unix:/" + strings.Repeat("a", 106)
	tests := []struct{ spec, want string }{
		{"tcp:127.0.0.1:10040", "tcp:127.0.0.1:10040"},
		{"tcp:127.0.0.1:0", "tcp:127.0.0.1:0"},
		{"tcp:0.0.0.0:25", "tcp:0.0.0.0:25"},
		{"tcp:[::1]:10040", "tcp:[::1]:10040"},
		{"tcp:[0:0::1]:10040", "tcp:[::1]:10040"},
		{"tcp:[::]:25", "tcp:[::]:25"},
		{"tcp:[::ffff:127.0.0.1]:25", "tcp:127.0.0.1:25"},
		{"tcp:[fe80::1%lo]:25", "tcp:[fe80::1%lo]:25"},
		{"unix:/run/arpagate/policy.sock", "unix:/run/arpagate/policy.sock"},
		{long, long},
		{"systemd:policy", "systemd:policy"},
		{"systemd:arpagate.socket", "systemd:arpagate.socket"},
	}
	for _, tt := range tests {
		t.Run(tt.spec, func(t *testing.T) {
			a, err := listen.Parse(tt.spec)
			if err != nil {
				t.Fatal(err)
			}
			if a.String() != tt.want || a.IsZero() {
				t.Errorf("String() = %q, want %q", a, tt.want)
			}
			again, err := listen.Parse(a.String())
			if err != nil || again != a {
				t.Errorf("Parse(%q) = %v, %v", a, again, err)
			}
		})
	}
}

// The rows named C are those of the list of hostile inputs.
func TestParseErrors(t *testing.T) {
	tests := []struct{ name, spec, want string }{
		{"C030 no scheme", "0.0.0.0:25", "write tcp:127.0.0.1:10040"},
		{"C031 bare port", ":25", "write tcp:127.0.0.1:10040"},
		{"C032 no scheme, IPv6", "[::]:25", "write tcp:127.0.0.1:10040"},
		{"C033 host name", "localhost:25", "write tcp:127.0.0.1:10040"},
		{"C034 no scheme, port 0", "127.0.0.1:0", "write tcp:127.0.0.1:10040"},
		{"C035 no scheme, port too high", "127.0.0.1:99999", "write tcp:127.0.0.1:10040"},
		{"C036 relative path", "unix:relative", "must be absolute: write unix:/run/"},
		{"C037 path of 121 octets", "unix:/" + strings.Repeat("a", 120), "more than 107 octets"},
		{"C038 no port", "tcp:1.2.3.4", "write tcp:127.0.0.1:10040"},
		{"C039 interface name", "tcp:eth0:25", "interface names are not looked up"},
		{"C039 interface name alone", "eth0", "write tcp:127.0.0.1:10040"},
		{"C040 no brackets", "::1:25", "write tcp:127.0.0.1:10040"},
		{"C040 no brackets, tcp", "tcp:::1:25", "tcp:[::1]:10040"},
		{"P111 path of 120 octets", "unix:/" + strings.Repeat("a", 119), "more than 107 octets"},
		{"empty", "", "write tcp:"},
		{"host name, tcp", "tcp:localhost:25", "names are not looked up"},
		{"no host", "tcp::25", "tcp:0.0.0.0:10040 for every IPv4"},
		{"no port after colon", "tcp:127.0.0.1:", "a port of 0 to 65535"},
		{"port too high", "tcp:127.0.0.1:99999", "a port of 0 to 65535"},
		{"port of -1", "tcp:127.0.0.1:-1", "a port of 0 to 65535"},
		{"service name", "tcp:127.0.0.1:smtp", "a port of 0 to 65535"},
		{"leading zero", "tcp:127.0.0.01:25", "not an IP address"},
		{"Postfix form", "inet:127.0.0.1:25", "write tcp:127.0.0.1:10040"},
		{"upper case", "TCP:127.0.0.1:25", "write tcp:127.0.0.1:10040"},
		{"blank", "tcp: 127.0.0.1:25", "not an IP address"},
		{"no path", "unix:", "must be absolute"},
		{"abstract socket", "unix:@policy", "must be absolute"},
		{"directory", "unix:/run/", "end in a slash"},
		{"NUL in path", "unix:/run/a\x00b", "control characters"},
		{"path of 108 octets", "unix:/" + strings.Repeat("a", 107), "more than 107 octets"},
		{"no name", "systemd:", "write systemd:policy"},
		{"colon in name", "systemd:a:b", "write systemd:policy"},
		{"name of 256 octets", "systemd:" + strings.Repeat("a", 256), "write systemd:policy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			a, err := listen.Parse(tt.spec)
			if err == nil {
				t.Fatalf("Parse(%q) = %v, want an error", tt.spec, a)
			}
			if !a.IsZero() || a.String() != "" {
				t.Errorf("address %q beside an error", a)
			}
			if !strings.HasPrefix(err.Error(), "listen: address ") || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q, want it to say %q", err, tt.want)
			}
		})
	}
}
