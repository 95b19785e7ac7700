//go:build race

package milterd_test

// idleLimit is more under the race detector, which needs larger stacks.
const idleLimit = 16 << 10
