package gate

import "sync"

// ring remembers the last values put into it, a bounded number; the oldest is
// forgotten first. It is safe for concurrent use.
type ring[K comparable, V any] struct {
	mu     sync.Mutex
	values map[K]V
	keys   []K // oldest at next, once there are size of them
	next   int
	size   int
}

func newRing[K comparable, V any](size int) *ring[K, V] {
	return &ring[K, V]{values: make(map[K]V), size: size}
}

func (r *ring[K, V]) get(key K) (V, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	value, ok := r.values[key]
	return value, ok
}

func (r *ring[K, V]) put(key K, value V) {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch _, known := r.values[key]; {
	case known:
	case len(r.keys) < r.size:
		r.keys = append(r.keys, key)
	default:
		delete(r.values, r.keys[r.next])
		r.keys[r.next] = key
		r.next = (r.next + 1) % r.size
	}
	r.values[key] = value
}
