"""Kinds of variables beside `nnx.Param`."""

from flax import nnx


class Constant(nnx.Variable):
    """A state-dict entry that is not trained and has a defined value when a file lacks it."""
