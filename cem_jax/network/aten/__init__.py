"""Networks of torch as functions of JAX, from torch's own export and its core operations."""

from .program import SEED, NotNative, Program
from .run import run
from .table import TABLE

__all__ = ["SEED", "TABLE", "NotNative", "Program", "run"]
