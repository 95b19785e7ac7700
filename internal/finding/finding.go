// Package finding says what the evidence means. Findings are data: a code, a
// severity and named arguments, with title, text, RFC and remedy in one
// catalogue that the gate, the doctor, the audit and the pages share. What a
// finding earns is not decided here.
package finding

// Code names a kind of finding; codes are stable.
type Code string

// The codes.
const (
	PTRMissing          Code = "ptr-missing"
	PTRUnusable         Code = "ptr-unusable"
	PTRUnconfirmed      Code = "ptr-unconfirmed"
	PTRSeveral          Code = "ptr-several"
	PTRTooMany          Code = "ptr-too-many"
	PTRGeneric          Code = "ptr-generic"
	DNSTrouble          Code = "dns-trouble"
	HeloMissing         Code = "helo-missing"
	HeloNotFQDN         Code = "helo-not-fqdn"
	HeloBareIP          Code = "helo-bare-ip"
	HeloLiteralMismatch Code = "helo-literal-mismatch"
	HeloUnresolvable    Code = "helo-unresolvable"
	HeloNotClient       Code = "helo-not-client"
	HeloNotPTR          Code = "helo-not-ptr"
	SourceSpecial       Code = "source-special"
)

// Severity says how bad a finding is for the sender.
type Severity string

// The severities.
const (
	Info    Severity = "info"
	Warn    Severity = "warn"
	Failure Severity = "fail"
	Unknown Severity = "unknown" // could not be found out
)

// Finding is one thing that the evidence means.
type Finding struct {
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Title    string   `json:"title"`
	Text     string   `json:"text"`
	// Complete says that the finding rests on complete answers of the DNS; only
	// then may it earn a reject.
	Complete bool `json:"complete"`
}
