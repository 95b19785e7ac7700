package journal

// Field is one field of a line.
type Field struct{ Name, Doc string }

// Fields returns the fields of a line in their order, after time, level and
// msg. A field without a value is left out of the line.
func Fields() []Field {
	return []Field{
		{"ref", "reference of the case, as printed in the reply"},
		{"door", "protocol of the listener: policy or milter"},
		{"client", `address of the SMTP client, or "unknown"`},
		{"action", "what the client got: accept, tag, defer or reject"},
		{"would", "the action without monitor mode and exemption, where it differs"},
		{"exempt", "why the client was let through, where it was"},
		{"list", "the list entry that counted: allow or block, and the network or domain"},
		{"iprev", "pass, fail, temperror, permerror (RFC 8601 §2.7.3), or unjudged where nothing was asked"},
		{"ptr", "the confirmed PTR name, else the first one"},
		{"helo", "the HELO or EHLO argument"},
		{"codes", "codes of the findings, joined by commas"},
		{"points", "sum of the points, where there are any"},
		{"notes", "what softened or delayed the action, joined by semicolons"},
		{"ms", "time from question to decision, in milliseconds"},
	}
}
