"""Every exception of the library: each message names the object, shows the numbers, says what to do.

All of them derive from `TensorProgramError`, itself a `ValueError`, and are raised at the boundary,
before any work starts.
"""

from __future__ import annotations


class TensorProgramError(ValueError):
    """Base class of every error this library raises on purpose."""


def described(error: BaseException) -> str:
    """An exception in one text: its kind, and its message where it has one."""
    return f"{type(error).__name__}: {message_of(error)}".removesuffix(": ")


def message_of(error: BaseException) -> str:
    """The message of an exception of a user's, which may raise another one instead."""
    try:
        return str(error)
    except KeyboardInterrupt:
        raise
    except BaseException:
        return "its message cannot be printed"


class ProgramError(TensorProgramError):
    """A program is not well formed; the message names the node and the remedy."""


class ExpressionError(TensorProgramError):
    """A text (an expression, a program, an option) is outside the accepted language."""


class OrderError(TensorProgramError):
    """A derivative correlation was asked for that the program cannot have.

    Raised when the activation has too few derivatives, or fewer inputs were traced than the order needs.
    """


class DataError(TensorProgramError):
    """Input data have the wrong shape or contain NaN or infinite values."""


class SamplingError(TensorProgramError):
    """Widths, sample counts, seeds or methods that cannot be run."""


class WritingError(TensorProgramError):
    """A file cannot be written; what was there before is whole."""


class ArchitectureError(TensorProgramError):
    """An architecture cannot be found, loaded or called with the options given."""


class TrainingError(TensorProgramError):
    """Targets, a loss, a learning rate or an optimiser that training as a program cannot have."""


class ContradictionError(TensorProgramError):
    """Two proofs that exclude each other, such as a limit above a bound: a fault of this library."""


class PrecisionError(ProgramError):
    """A number is known less precisely than was asked for; the message says how precisely it is known."""


class OtherVersionWarning(UserWarning):
    """A run store holds samples that another version of the library drew, and that are not used."""
