package policyd

// field is the place of an attribute in a request.
type field uint8

// The attributes that are kept; everything else is ignored.
const (
	ignored field = iota
	fRequest
	fState
	fClientAddress
	fClientName
	fClientPort
	fServerAddress
	fServerPort
	fHelo
	fSender
	fRecipient
	fInstance
	fStress
	fUsername
	fContext
	fields
)

// attribute is one line of the table in SMTPD_POLICY_README.
type attribute struct {
	name  string
	since string // the first Postfix version that sends it
	keep  field
}

// attributes are those that Postfix 3.12 and its forerunners send, in the order
// of SMTPD_POLICY_README. reverse_client_name is what one PTR record claims,
// and the certificate says nothing about the address: neither is of use to us.
var attributes = []attribute{
	{"request", "2.1", fRequest},
	{"protocol_state", "2.1", fState},
	{"protocol_name", "2.1", ignored},
	{"helo_name", "2.1", fHelo},
	{"queue_id", "2.1", ignored},
	{"sender", "2.1", fSender},
	{"recipient", "2.1", fRecipient},
	{"recipient_count", "2.1", ignored},
	{"client_address", "2.1", fClientAddress},
	{"client_name", "2.1", fClientName},
	{"reverse_client_name", "2.1", ignored},
	{"instance", "2.1", fInstance},
	{"sasl_method", "2.2", ignored},
	{"sasl_username", "2.2", fUsername},
	{"sasl_sender", "2.2", ignored},
	{"size", "2.2", ignored},
	{"ccert_subject", "2.2", ignored},
	{"ccert_issuer", "2.2", ignored},
	{"ccert_fingerprint", "2.2", ignored},
	{"encryption_protocol", "2.3", ignored},
	{"encryption_cipher", "2.3", ignored},
	{"encryption_keysize", "2.3", ignored},
	{"etrn_domain", "2.3", ignored},
	{"stress", "2.5", fStress},
	{"ccert_pubkey_fingerprint", "2.9", ignored},
	{"client_port", "3.0", fClientPort},
	{"policy_context", "3.1", fContext},
	{"server_address", "3.2", fServerAddress},
	{"server_port", "3.2", fServerPort},
	{"compatibility_level", "3.8", ignored},
	{"mail_version", "3.8", ignored},
	{"tls_sni", "3.12", ignored},
}

// kept holds the attributes that are kept by the length of their names: few
// share one, and a request has some thirty names to look up.
var kept = func() (byLength [maxName + 1][]attribute) {
	for _, a := range attributes {
		if a.keep != ignored {
			byLength[len(a.name)] = append(byLength[len(a.name)], a)
		}
	}
	return byLength
}()

// lookup returns ignored for a name that is not kept. The case of letters
// matters; name has at most maxName octets.
func lookup(name []byte) field {
	for _, a := range kept[len(name)] {
		if a.name == string(name) {
			return a.keep
		}
	}
	return ignored
}
