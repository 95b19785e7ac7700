//go:build !race

package milterd_test

// idleLimit is what an idle connection may hold beside its socket.
const idleLimit = 8 << 10
