"""Infinite width: limit variables, kernel recursions, constants of exponents."""
