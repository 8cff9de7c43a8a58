"""Image-restoration networks in Flax NNX; nothing here knows of causal effects."""

from .argument import ArgumentFacts as ArgumentFacts
from .checkpoint import read_state_dict as read_state_dict
from .entry import Misfit as Misfit
from .export import export as export
from .layers import Told as Told
from .recognise import choose as choose
from .recognise import hint as hint
from .recognise import recognise as recognise
from .registry import Built as Built
from .registry import Description as Description
from .registry import build as build
from .registry import bundled_weights as bundled_weights
from .registry import check_arguments as check_arguments
from .registry import describe as describe
from .registry import find as find
from .registry import names as names
from .registry import to_torch as to_torch
