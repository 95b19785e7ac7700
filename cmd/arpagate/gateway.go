package main

import (
	"encoding/binary"
	"encoding/hex"
	"net/netip"
	"os"
	"strings"
)

// defaultGateway returns the IPv4 default router of this machine, the zero Addr
// where there is none or it can't be read: proc(5), /proc/net/route.
func defaultGateway() netip.Addr {
	table, err := os.ReadFile("/proc/net/route")
	if err != nil {
		return netip.Addr{}
	}
	return gatewayOf(string(table))
}

func gatewayOf(table string) netip.Addr {
	for _, line := range strings.Split(table, "\n") {
		// Interface, destination, gateway: addresses as one number in the
		// machine's byte order.
		fields := strings.Fields(line)
		if len(fields) < 3 || fields[1] != "00000000" || fields[2] == "00000000" {
			continue
		}
		raw, err := hex.DecodeString(fields[2])
		if err != nil || len(raw) != 4 {
			continue
		}
		var b [4]byte
		binary.NativeEndian.PutUint32(b[:], binary.BigEndian.Uint32(raw))
		return netip.AddrFrom4(b)
	}
	return netip.Addr{}
}
