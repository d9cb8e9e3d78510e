"""Proofs of exponents as numbered steps, each of which can be tested by itself."""

from tensorprog.proofs.checked import Check, CheckedProof
from tensorprog.proofs.proof import Proof
from tensorprog.proofs.prove import prove
from tensorprog.proofs.steps import ProofStep, Summand

__all__ = ["Check", "CheckedProof", "Proof", "ProofStep", "Summand", "prove"]
