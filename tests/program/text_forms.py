"""A network and a program of every instruction as texts."""

from __future__ import annotations

from fractions import Fraction

from tensorprog.program import (
    Coefficient,
)

HALF = Fraction(1, 2)
ONE = Coefficient()

MLP = """\
in0 = input 0
U = parameter n x d0, std 1, a 0, c 0
x1 = U @ in0
x2 = erf(x1)
W1 = parameter n x n, std 3/2, a 1/2, c 0
x3 = W1 @ x2
x4 = erf(x3)
v = parameter 1 x n, std 1, a 1/2, c 0
s5 = mean(v * x4)
s6 = n^1*s5
output F0 = s6, input 0
"""

EVERYTHING = """\
# every instruction, every option
  in0_0 = input 0 position 0
in1_2 = input 1 position 2

U = parameter 2n x d0, std 1/10, a 0, c -1
block1.W = parameter 1/2n x 2n, std 1, a 1/2, c 0, frozen
b = parameter 2n x 1, std 1, a 0, c 0
t = parameter 1 x 1, std 1, a -1/2, c 0
du = free U
one = constant 1, width 2n
k = constant -1/2*n^(-1/2)
h = U @ in0_0
g = du @ in1_2
z = block1.W @ h
y = block1.W^T @ z
f0 = erf(h)
f2 = leaky_relu(1/10)[1](h)
f3 = expression(z0*sin(z1))[0,2](h, k)
p = h * h * t
q = one
c = -h + 1/2*n^(-1/2)*g - 3*n^2*y + f0 - f2 + p + q + f3 + b
single = 1*c
s = mean(c * single * h)
output F0 = s, input 0, component 3
output a loss, λ = t, squared norm
slot U: n^(-1)*h (x) in0_0 - 2*y (x) in1_2
slot b: -h
slot t: 0
"""
