"""Kinds of variables beside `nnx.Param`."""

from flax import nnx


class Constant(nnx.Variable):
    """A state-dict entry that is not trained and has a defined value when a file lacks it."""


class Buffer(Constant):
    """A constant that is no parameter of the network: torch registers it beside them."""


class Counter(Buffer):
    """A whole number that training code keeps in a state dict and nothing is computed with."""


class Statistic(nnx.Variable):
    """A state-dict entry that training measures: a file must have it, no gradient changes it."""


class Told(nnx.Variable):
    """A value that a network is told and no checkpoint holds, such as the noise level."""
