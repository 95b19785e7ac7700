package store

import "context"

// Watches keeps the states of watched targets, each as a text that the store
// does not read.
type Watches struct{ s *Store }

// Watches returns the keeper of the watched targets' states.
func (s *Store) Watches() Watches { return Watches{s} }

// Save keeps the state of a target in place of the one before. When it returns
// without an error the state is on disk.
func (w Watches) Save(ctx context.Context, target string, state []byte) error {
	_, err := w.s.write.ExecContext(ctx, `INSERT INTO watches (target, at, state) VALUES ($1, $2, $3)
		ON CONFLICT (target) DO UPDATE SET at = $2, state = $3`,
		target, micros(w.s.opts.Now()), string(state))
	return w.s.explain("keep the state of a watched target", err)
}

// Load returns all states by their targets.
func (w Watches) Load(ctx context.Context) (map[string][]byte, error) {
	rows, err := w.s.read.QueryContext(ctx, `SELECT target, state FROM watches`)
	if err != nil {
		return nil, w.s.explain("read the watched targets", err)
	}
	defer rows.Close()
	out := map[string][]byte{}
	for rows.Next() {
		var target, state string
		if err := rows.Scan(&target, &state); err != nil {
			return nil, w.s.explain("read the watched targets", err)
		}
		out[target] = []byte(state)
	}
	return out, w.s.explain("read the watched targets", rows.Err())
}
