package main

import "math"

// fit finds the weights of the signs by Newton's method on the penalized
// likelihood, which has one maximum: the same examples give the same weights.
// The first sign is the base, which is not penalized.
func fit(examples []*example, prior []float64, penalty float64) []float64 {
	count := len(prior)
	w := make([]float64, count)
	gradient := make([]float64, count)
	hessian := make([][]float64, count)
	for i := range hessian {
		hessian[i] = make([]float64, count)
	}
	for range 50 {
		for i := range w {
			p := penalty
			if i == 0 {
				p = 1e-6
			}
			gradient[i] = p * (prior[i] - w[i])
			clear(hessian[i])
			hessian[i][i] = p
		}
		for _, e := range examples {
			q := probability(w, e)
			y := 0.0
			if e.generic {
				y = 1
			}
			curve := e.weight * q * (1 - q)
			for _, i := range e.signs {
				gradient[i] += e.weight * (y - q)
				for _, j := range e.signs {
					hessian[i][j] += curve
				}
			}
		}
		step := solve(hessian, gradient)
		largest := 0.0
		for i := range w {
			w[i] += max(-2, min(2, step[i]))
			largest = max(largest, math.Abs(step[i]))
		}
		if largest < 1e-10 {
			break
		}
	}
	return w
}

func logit(w []float64, e *example) float64 {
	z := 0.0
	for _, i := range e.signs {
		z += w[i]
	}
	return z
}

func probability(w []float64, e *example) float64 { return 1 / (1 + math.Exp(-logit(w, e))) }

// solve solves a·x = b for a symmetric positive definite a, by Cholesky's
// decomposition in place.
func solve(a [][]float64, b []float64) []float64 {
	n := len(b)
	for j := range n {
		for i := j; i < n; i++ {
			sum := a[i][j]
			for k := range j {
				sum -= a[i][k] * a[j][k]
			}
			if i == j {
				a[i][j] = math.Sqrt(sum)
			} else {
				a[i][j] = sum / a[j][j]
			}
		}
	}
	x := make([]float64, n)
	for i := range n {
		sum := b[i]
		for k := range i {
			sum -= a[i][k] * x[k]
		}
		x[i] = sum / a[i][i]
	}
	for i := n - 1; i >= 0; i-- {
		for k := i + 1; k < n; k++ {
			x[i] -= a[k][i] * x[k]
		}
		x[i] /= a[i][i]
	}
	return x
}
