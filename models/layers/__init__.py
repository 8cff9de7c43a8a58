"""Layers that several architectures share, named after the torch modules whose weights they take."""

from .activation import LeakyReLU as LeakyReLU
from .activation import ReLU as ReLU
from .conv import Conv as Conv
from .mean_shift import DIV2K_MEAN as DIV2K_MEAN
from .mean_shift import MeanShift as MeanShift
from .sequential import Sequential as Sequential
from .shuffle import pixel_shuffle as pixel_shuffle
from .variable import Constant as Constant
