package resolver

import (
	"sync"
	"time"
)

const (
	tick      = 5 * time.Millisecond
	wheelSize = 1024
)

// alarm is something that wants to be woken.
type alarm interface{ ring(now time.Time) }

// timer is one entry of the wheel, a part of what it wakes. It belongs to the
// wheel's lock.
type timer struct {
	prev, next *timer
	due        int64
	alarm      alarm
}

// wheel wakes thousands of alarms with one real timer, to the nearest tick,
// which is fine enough for retries. Setting and stopping take constant time.
type wheel struct {
	mu    sync.Mutex
	start time.Time
	done  int64 // the last tick that was handled
	set   int   // timers that are set
	slots [wheelSize]timer
	wake  chan struct{}
}

func newWheel(now time.Time) *wheel {
	w := &wheel{start: now, wake: make(chan struct{}, 1)}
	for i := range w.slots {
		s := &w.slots[i]
		s.prev, s.next = s, s
	}
	return w
}

// arm sets t to ring a at the given time, or at the next tick. A timer that is
// set already is moved.
func (w *wheel) arm(t *timer, a alarm, at time.Time) {
	w.mu.Lock()
	w.unlink(t)
	t.alarm = a
	t.due = max(int64((at.Sub(w.start)+tick-1)/tick), w.done+1)
	slot := &w.slots[t.due%wheelSize]
	t.prev, t.next = slot.prev, slot
	t.prev.next, t.next.prev = t, t
	w.set++
	first := w.set == 1
	w.mu.Unlock()
	if first {
		select {
		case w.wake <- struct{}{}:
		default:
		}
	}
}

// stop unsets t; an alarm that is already on its way rings nevertheless.
func (w *wheel) stop(t *timer) {
	w.mu.Lock()
	w.unlink(t)
	w.mu.Unlock()
}

func (w *wheel) unlink(t *timer) {
	if t.next == nil {
		return
	}
	t.prev.next, t.next.prev = t.next, t.prev
	t.prev, t.next = nil, nil
	w.set--
}

// run turns the wheel until quit is closed, and sleeps while nothing is set.
func (w *wheel) run(quit <-chan struct{}) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		select {
		case <-quit:
			return
		case <-ticker.C:
		}
		if w.turn(time.Now()) {
			continue
		}
		ticker.Stop()
		select {
		case <-quit:
			return
		case <-w.wake:
		}
		ticker.Reset(tick)
	}
}

// turn rings what is due and reports whether anything is still set.
func (w *wheel) turn(now time.Time) bool {
	var due []alarm
	w.mu.Lock()
	upto := int64(now.Sub(w.start) / tick)
	// After a long sleep one round visits every slot.
	for at := max(w.done+1, upto-wheelSize+1); at <= upto; at++ {
		slot := &w.slots[at%wheelSize]
		for t := slot.next; t != slot; {
			next := t.next
			if t.due <= upto {
				w.unlink(t)
				due = append(due, t.alarm)
			}
			t = next
		}
	}
	w.done = max(w.done, upto)
	again := w.set > 0
	w.mu.Unlock()
	for _, a := range due {
		a.ring(now)
	}
	return again || len(due) > 0
}
