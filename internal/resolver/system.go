package resolver

import (
	"bufio"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
)

// ErrNoServers is returned by SystemServers for a file that names no server.
var ErrNoServers = errors.New("resolver: no nameserver line with an address")

// SystemServers reads the servers of a file in the format of resolv.conf(5),
// with port 53. Other lines, and addresses that can't be read, are skipped;
// only the first MaxServers count.
func SystemServers(path string) ([]netip.AddrPort, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("resolver: system servers: %w", err)
	}
	defer f.Close()
	var servers []netip.AddrPort
	lines := bufio.NewScanner(f)
	for lines.Scan() && len(servers) < MaxServers {
		fields := strings.Fields(lines.Text())
		if len(fields) < 2 || fields[0] != "nameserver" {
			continue
		}
		addr, err := netip.ParseAddr(fields[1])
		if err != nil {
			continue
		}
		if server := netip.AddrPortFrom(addr, 53); !slices.Contains(servers, server) {
			servers = append(servers, server)
		}
	}
	if err := lines.Err(); err != nil {
		return nil, fmt.Errorf("resolver: system servers: %q: %w", path, err)
	}
	if len(servers) == 0 {
		return nil, fmt.Errorf("%w: %q", ErrNoServers, path)
	}
	return servers, nil
}
