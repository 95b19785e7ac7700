package store

// What only tests look at.
var (
	CheckLibrary = checkLibrary
	NetworkFS    = networkFS[int64]
)

// Pack packs the lists now, and not when Run comes to it.
var Pack = (*Store).pack

// Repack returns the records of a pack as a new one.
func Repack(pack string) string {
	var p packer
	for r := range unpack(pack) {
		p.add(r)
	}
	return string(p.pack)
}

// Pragma returns a setting of the connection that writes.
func Pragma(s *Store, name string) string {
	var v string
	_ = s.write.QueryRow(`PRAGMA ` + name).Scan(&v)
	return v
}
