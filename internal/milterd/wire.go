package milterd

import (
	"bytes"
	"encoding/binary"
	"iter"
)

// The commands of the MTA, one octet each (libmilter/mfdef.h, SMFIC_*).
const (
	cmdAbort     = 'A' // message state goes, connection state stays; no answer
	cmdBody      = 'B' // a chunk of the body
	cmdConnect   = 'C' // host name, family, port, address
	cmdMacros    = 'D' // macros for the command that follows; no answer
	cmdEndOfBody = 'E' // end of message, possibly with the last chunk
	cmdHelo      = 'H' // argument of HELO or EHLO
	cmdQuitNew   = 'K' // another connection follows on this socket; no answer
	cmdHeader    = 'L' // one header field: name, value
	cmdMail      = 'M' // MAIL: sender, parameters
	cmdEndOfHead = 'N' // end of the header
	cmdOptions   = 'O' // option negotiation: version, actions, protocol
	cmdQuit      = 'Q' // end; no answer
	cmdRcpt      = 'R' // RCPT: recipient, parameters
	cmdData      = 'T' // DATA
	cmdUnknown   = 'U' // an SMTP command that the MTA doesn't know
)

// Our answers (SMFIR_*).
const (
	actContinue     = 'c' // no opinion
	actReplyCode    = 'y' // an SMTP reply in the filter's own words
	actInsertHeader = 'i' // position, name, value
	actChangeHeader = 'm' // index, name, value; an empty value deletes
)

// What the filter may do to a message (SMFIF_*). INSHEADER goes with
// SMFIF_ADDHDRS: it has no bit of its own.
const (
	mayAddHeaders    = 1 << 0
	mayChangeHeaders = 1 << 4
	mayNameMacros    = 1 << 8
)

// What the MTA needs not send, and what it needs not wait for an answer to
// (SMFIP_*).
const (
	skipBody      = 1 << 4
	skipHeaders   = 1 << 5
	skipEndOfHead = 1 << 6
	skipUnknown   = 1 << 8
	skipData      = 1 << 9

	mutedHeader    = 1 << 7
	mutedConnect   = 1 << 12
	mutedHelo      = 1 << 13
	mutedMail      = 1 << 14
	mutedData      = 1 << 16
	mutedUnknown   = 1 << 17
	mutedEndOfHead = 1 << 18
	mutedBody      = 1 << 19
)

// The versions that we speak. Version 2 is Sendmail 8.11; 6 came with 8.14 and
// is the last.
const (
	minVersion = 2
	maxVersion = 6
)

// The stages for which macros can be asked (SMFIM_*).
const (
	macrosAtConnect = 0
	macrosAtMail    = 2
)

// The macros that we read. A list that we send replaces the MTA's own for that
// stage, and leaves the other stages as they are, in Postfix and in Sendmail.
const (
	connectMacros = "{client_addr} {daemon_name} {daemon_addr} {daemon_port}"
	mailMacros    = "{auth_authen}"
)

// The address families of the connect command (SMFIA_*). 'L', a UNIX socket,
// and 'U', unknown, carry no IP address.
const (
	familyIPv4 = '4'
	familyIPv6 = '6'
)

// knownCommand reports whether c is one of the commands.
func knownCommand(c byte) bool { return bytes.IndexByte([]byte("ABCDEHKLMNOQRTU"), c) >= 0 }

// appendFrame appends a frame of the command and the parts of its body.
func appendFrame(dst []byte, command byte, parts ...string) []byte {
	n := 1
	for _, p := range parts {
		n += len(p)
	}
	dst = binary.BigEndian.AppendUint32(dst, uint32(n))
	dst = append(dst, command)
	for _, p := range parts {
		dst = append(dst, p...)
	}
	return dst
}

// number is n as frames carry it.
func number(n uint32) string {
	var b [4]byte
	binary.BigEndian.PutUint32(b[:], n)
	return string(b[:])
}

// cstring returns the octets before the first NUL, and those after it. Without
// a NUL all of b is the string.
func cstring(b []byte) (s, rest []byte) {
	s, rest, _ = bytes.Cut(b, []byte{0})
	return s, rest
}

// pairs walks the names and values of a macro command. A last name without a
// value is left out.
func pairs(b []byte) iter.Seq2[[]byte, []byte] {
	return func(yield func(name, value []byte) bool) {
		for {
			name, rest, ok := bytes.Cut(b, []byte{0})
			value, rest, found := bytes.Cut(rest, []byte{0})
			if !ok || !found || !yield(name, value) {
				return
			}
			b = rest
		}
	}
}
