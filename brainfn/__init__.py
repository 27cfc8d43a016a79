"""brainfn: a functional, differentiable brain simulator on JAX."""
