package doctor_test

// peers are the other tools, as Debian has them. Each is asked about every
// world in the way in which its manual says, with what it needs to find the
// world's own root, resolver and certificate authority.
func peers() []peer {
	return []peer{
		{
			name: "zonemaster-cli", command: (*site).zonemaster, scope: []kind{ofZone, ofDomain},
			what:  "tests the delegation, servers and DNSSEC of a zone; it was run on the zone that holds the records in question",
			shape: "zonemaster-cli --hints HINTS --no-ipv6 --level NOTICE ZONE",
			says: map[string]words{
				"lame":        {names: `lame\.example\.org/192\.0\.2\.55 response is not authoritative`},
				"silent":      {names: `silent\.example\.org/192\.0\.2\.56 does not respond`},
				"lag":         {names: `Found 2 SOA serial`},
				"bogus":       {names: `has already expired`},
				"unexplained": {names: `has already expired`},
				"island":      {names: `sent a DNSKEY record, but \S+ did not send a DS record`},
				"null":        {shows: `(?i)null MX`},
				"alias":       {names: `(?i)MX .*CNAME`},
			},
		},
		{
			name: "nmap", command: (*site).nmap, scope: []kind{ofPTR, ofServer},
			what:  "scans hosts; its scripts say what a mail server offers, whether it relays, its certificate, and whether its PTR name leads back",
			shape: "nmap -n -Pn -p25 --dns-servers RESOLVER --script smtp-commands,smtp-open-relay,ssl-cert,fcrdns ADDRESS",
			says:  nmapSays,
		},
		{
			name: "swaks", command: (*site).swaks, scope: []kind{ofDomain, ofServer},
			what:  "plays an SMTP client by hand and shows the dialogue, for its user to judge",
			shape: "swaks --to postmaster@DOMAIN --from probe@example.org --ehlo probe.example.org --tls-optional --tls-verify --tls-ca-path CA --quit-after RCPT [--server ADDRESS]",
			says: map[string]words{
				"postfix":     {shows: `<-\s+220 localhost\.localdomain`},
				"exim":        {shows: `<-\s+220 mailhost`},
				"opensmtpd":   {shows: `<-\s+220 mailhost`},
				"cleartext":   {names: `Host did not advertise STARTTLS`},
				"expired":     {names: `certificate has expired`, shows: `certificate verify failed`},
				"closed":      {names: `Connection refused`},
				"relay":       {shows: `RCPT TO:<probe@example\.com>\s+<~?\s+250`},
				"postmaster":  {names: `<~?\* +5\d\d `},
				"private":     {shows: `connecting to inside\.private`},
				"addressless": {names: `connecting to gone\.addressless`},
				"null":        {wrong: `connecting to \.:25`},
			},
		},
		{
			name: "dnsviz", command: (*site).dnsviz, scope: []kind{ofPTR, ofZone, ofDomain},
			what:  "shows the chain of DNSSEC from the root to a name, and what each server answers; it was run on the reverse and the forward name, or on the domain",
			shape: "dnsviz probe -4 -A -a . NAMES | dnsviz print -t ANCHOR",
			says: map[string]words{
				"nxdomain":    {shows: `PTR: NXDOMAIN`},
				"nothing":     {shows: `PTR: NXDOMAIN`},
				"nodata":      {shows: `PTR: NODATA`},
				"own-zone":    {shows: `PTR: NXDOMAIN`},
				"zone-file":   {shows: `PTR: NXDOMAIN`},
				"six":         {shows: `PTR: NXDOMAIN`},
				"mismatch":    {shows: ` A: 203\.0\.113\.99`},
				"no-address":  {shows: ` A: NODATA`},
				"generic":     {shows: `PTR: 203-0-113-15\.dyn`},
				"several":     {shows: `PTR: .*www\.example\.com`},
				"unusable":    {shows: `PTR: localhost\.`},
				"misspelt":    {shows: `(?s)CNAME 130\.128-26.*PTR: NXDOMAIN`},
				"chain":       {shows: `CNAME g\.chain`},
				"lame":        {names: `INVALID_RCODE:REFUSED`},
				"silent":      {names: `SERVER_UNRESPONSIVE|TIMEOUT`},
				"lag":         {shows: `(?s)PTR: mail\.lag.*PTR: old|PTR: old.*PTR: mail\.lag`},
				"bogus":       {names: `EXPIRATION_IN_PAST`},
				"unexplained": {names: `EXPIRATION_IN_PAST`},
				"island":      {shows: `(?s)DS: NODATA.*DNSKEY: 13/`},
				"null":        {shows: `MX: 0 \.`},
			},
		},
	}
}

// Without an answer fcrdns.nse says "No PTR record", and it takes the aliases on
// the way to a PTR record for names of the host.
var nmapSays = map[string]words{
	"nxdomain":    {names: `FAIL \(No PTR record\)`},
	"nothing":     {names: `FAIL \(No PTR record\)`},
	"nodata":      {names: `FAIL \(No PTR record\)`},
	"own-zone":    {names: `FAIL \(No PTR record\)`},
	"zone-file":   {names: `FAIL \(No PTR record\)`},
	"six":         {names: `FAIL \(No PTR record\)`},
	"mismatch":    {names: `reason: FCRDNS mismatch`},
	"no-address":  {names: `reason: No A record`},
	"generic":     {shows: `203-0-113-15\.dyn`},
	"several":     {shows: `www\.example\.com`},
	"unusable":    {names: `localhost:\s+\|\s+status: fail`},
	"misspelt":    {wrong: `130\.128-26\S+:\s+\|\s+status: fail`},
	"chain":       {wrong: `a\.chain\.\S+:\s+\|\s+status: fail`},
	"bogus":       {wrong: `FAIL \(No PTR record\)`},
	"unexplained": {wrong: `FAIL \(No PTR record\)`},
	"own-dns":     {wrong: `FAIL \(No PTR record\)`},
	"postfix":     {shows: `smtp-commands: localhost\.localdomain`},
	"exim":        {shows: `smtp-commands: mailhost`},
	"opensmtpd":   {shows: `smtp-commands: mailhost`},
	"cleartext":   {shows: `ETRN, ENHANCEDSTATUSCODES`},
	"expired":     {shows: `Not valid after:`},
	"closed":      {names: `25/tcp closed`},
	"relay":       {names: `Server is an open relay`},
}
