"""Networks of torch and ONNX as functions of JAX, one operation after the other.

Imports nothing of ours.
"""

from .program import SEED, ExportedModule, NotNative
from .run import run
from .table import TABLE

__all__ = ["SEED", "TABLE", "NotNative", "ExportedModule", "run"]
