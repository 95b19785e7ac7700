package store

// What only tests look at.
var (
	CheckLibrary = checkLibrary
	NetworkFS    = networkFS[int64]
)

// Pragma returns a setting of the connection that writes.
func Pragma(s *Store, name string) string {
	var v string
	_ = s.write.QueryRow(`PRAGMA ` + name).Scan(&v)
	return v
}
