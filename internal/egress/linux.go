package egress

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// Linux is the machine that we run on.
type Linux struct{}

var _ System = Linux{}

// Interfaces returns the addresses of all interfaces that are up.
func (Linux) Interfaces() ([]netip.Addr, error) {
	interfaces, err := net.Interfaces()
	if err != nil {
		return nil, fmt.Errorf("egress: interfaces: %w", err)
	}
	var out []netip.Addr
	for _, i := range interfaces {
		if i.Flags&net.FlagUp == 0 {
			continue
		}
		addrs, err := i.Addrs()
		if err != nil {
			return nil, fmt.Errorf("egress: interface %q: %w", i.Name, err)
		}
		for _, a := range addrs {
			if prefix, err := netip.ParsePrefix(a.String()); err == nil {
				out = append(out, prefix.Addr())
			}
		}
	}
	return out, nil
}

// routeTimeout is how long the kernel may take to answer.
const routeTimeout = time.Second

// answerSize is more than any answer about one route has.
const answerSize = 16 << 10

// Source asks the kernel's routing table (rtnetlink(7)); no packet leaves.
func (Linux) Source(dst netip.Addr) (netip.Addr, error) {
	fd, err := unix.Socket(unix.AF_NETLINK, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.NETLINK_ROUTE)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("egress: route: %w", err)
	}
	defer func() { _ = unix.Close(fd) }()
	wait := unix.NsecToTimeval(routeTimeout.Nanoseconds())
	if err := unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &wait); err != nil {
		return netip.Addr{}, fmt.Errorf("egress: route: %w", err)
	}
	if err := unix.Sendto(fd, request(dst), 0, &unix.SockaddrNetlink{Family: unix.AF_NETLINK}); err != nil {
		return netip.Addr{}, fmt.Errorf("egress: route: %w", err)
	}
	buffer := make([]byte, answerSize)
	n, _, err := unix.Recvfrom(fd, buffer, 0)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("egress: route: %w", err)
	}
	return source(buffer[:n])
}

// request is RTM_GETROUTE for one address.
func request(dst netip.Addr) []byte {
	raw := dst.AsSlice()
	attribute := unix.SizeofRtAttr + len(raw)
	b := make([]byte, unix.SizeofNlMsghdr+unix.SizeofRtMsg+attribute)
	order := binary.NativeEndian
	order.PutUint32(b[0:], uint32(len(b)))
	order.PutUint16(b[4:], unix.RTM_GETROUTE)
	order.PutUint16(b[6:], unix.NLM_F_REQUEST)
	order.PutUint32(b[8:], 1) // sequence number
	body := b[unix.SizeofNlMsghdr:]
	body[0], body[1] = unix.AF_INET, byte(dst.BitLen())
	if dst.Is6() {
		body[0] = unix.AF_INET6
	}
	at := body[unix.SizeofRtMsg:]
	order.PutUint16(at[0:], uint16(attribute))
	order.PutUint16(at[2:], unix.RTA_DST)
	copy(at[unix.SizeofRtAttr:], raw)
	return b
}

var errNoRoute = errors.New("egress: route: there is none")

// source reads the preferred source from the kernel's answer.
func source(b []byte) (netip.Addr, error) {
	messages, err := syscall.ParseNetlinkMessage(b)
	if err != nil {
		return netip.Addr{}, fmt.Errorf("egress: route: %w", err)
	}
	for i := range messages {
		if messages[i].Header.Type != unix.RTM_NEWROUTE {
			continue
		}
		attributes, err := syscall.ParseNetlinkRouteAttr(&messages[i])
		if err != nil {
			return netip.Addr{}, fmt.Errorf("egress: route: %w", err)
		}
		for _, a := range attributes {
			if a.Attr.Type == unix.RTA_PREFSRC {
				if addr, ok := netip.AddrFromSlice(a.Value); ok {
					return addr, nil
				}
			}
		}
	}
	return netip.Addr{}, errNoRoute
}
