"""The zoo for tests: weights by formula, and every architecture with few and narrow layers."""

import functools
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from parity_formula import image, weight

import cem_jax as cem
from cem_jax.models import registry
from cem_jax.models.convert import torch_shapes

SAMPLES = np.load(Path(__file__).parent / "fixtures" / "parity.npz")
"""Sampled outputs of every reference network: `NAME/values` at the flat places `NAME/idx`."""

INDEX = json.loads(str(SAMPLES["index"]))
"""For every reference network, how the sampled outputs in the fixture were made."""

SMALL: dict[str, dict[str, Any]] = {
    "ADNet": {"width": 8},
    "BSRN": {"num_feat": 16, "num_block": 2},
    "CARNM": {"width": 8},
    "CRAFT": {"embed_dim": 32, "depths": (1, 1), "num_heads": (2, 2)},
    "CSNLN": {"n_feats": 8, "depth": 2},
    "DCTLSA": {"nf": 10, "num_modules": 2, "hidden": 12},
    "DDBPN": {"base_filter": 6, "feat": 12, "num_stages": 3},
    "DRLN": {"width": 16},
    "DRUNet": {"nc": (4, 6, 8, 8), "nb": 1},
    "DnCNN": {"nc": 8, "nb": 4},
    "EDSR": {"width": 8, "depth": 2},
    "ESPCN": {"width": 8, "depth": 2},
    "FDnCNN": {"nc": 8, "nb": 4},
    "FFDNet": {"nc": 8, "nb": 3},
    "FSRCNN": {"d": 8, "s": 4, "m": 2},
    "HAT": {
        "embed_dim": 12, "depths": (2, 2), "num_heads": (2, 2), "compress_ratio": 3,
        "squeeze_factor": 3,
    },
    "HINet": {"wf": 4},
    "HiTSRF": {"embed_dim": 32, "depths": (4,), "num_heads": (2,)},
    "IMDN": {"nf": 16, "num_modules": 2},
    "IRCNN": {"nc": 8},
    "MIRNetV2": {"widths": (8, 12, 16), "n_MRB": 1, "groups": (1, 2)},
    "MPRNet": {"n_feat": 8, "scale_unetfeats": 4, "scale_orsnetfeats": 4, "num_cab": 1},
    "SRResNet": {"num_feat": 8, "num_block": 2},
    "MSRN": {"num_blocks": 2},
    "PAN": {"nf": 8, "unf": 6, "nb": 2},
    "RCAN": {"num_feat": 16, "num_group": 2, "num_block": 2},
    "RFDN": {"nf": 12, "num_modules": 2},
    "RIDNet": {"n_feats": 16, "n_blocks": 2},
    "RLFN": {
        "feature_channels": 12, "mid_channels": 10, "esa_channels": 4, "num_blocks": 2,
    },
    "RNAN": {"n_feats": 8, "n_resgroup": 3},
    "RRDBNet": {"num_feat": 8, "num_block": 2, "num_grow_ch": 4},
    "Restormer": {"dim": 8, "num_blocks": (1, 1, 1, 1), "num_refinement_blocks": 1},
    "SADNet": {"n_channel": 8, "offset_channel": 8},
    "SAFMN": {"dim": 8, "n_blocks": 2},
    "SAFMNChallenge": {"dim": 8, "n_blocks": 2},
    "SAN": {"n_feats": 16, "n_resgroups": 2, "n_resblocks": 2},
    "SCUNet": {"depths": (2, 1, 1, 1, 1, 1, 2)},
    "SPAN": {"feature_channels": 8, "num_blocks": 2},
    "SRDenseNet": {"growth_rate": 4, "num_layers": 2, "num_blocks": 2},
    "SRDenseNet17": {"growth_rate": 4, "num_layers": 2, "num_blocks": 2},
    "SRVGGNetCompact": {"num_feat": 8, "num_conv": 3},
    "SwinIR": {"embed_dim": 12, "depths": (2, 2), "num_heads": (2, 2)},
    "XRestormer": {
        "dim": 8, "num_blocks": (1, 1, 1, 1), "num_refinement_blocks": 1, "spatial_dim_head": 4,
    },
}  # fmt: skip
"""Constructor arguments that make an architecture cheap and leave nothing of it out."""


def small(name: str) -> dict[str, Any]:
    """A network's arguments, with few and narrow layers."""
    entry = registry.find(name)
    config = {**entry.config, **SMALL.get(entry.architecture.__name__, {})}
    if config.get("num_ca_group"):  # attention in one of RCAN's two groups
        config["num_ca_group"] = 1
    return config


def channels(name: str) -> int:
    """Channels of a network's images."""
    return registry.find(name).config.get("in_nc", 3)


def picture(name: str, height: int, width: int, salt: int = 0) -> np.ndarray:
    """The formula's image with the channels that a network takes, [1, h, w, channels]."""
    return image(height, width, channels(name), salt)[None]


def state_dict(name: str, config: Mapping[str, Any] | None = None) -> dict[str, np.ndarray]:
    """The formula's weights for every key that a network asks for.

    A network whose reference has other keys than ours gets the reference's as it is published.

    Args:
        name: one of `names()`.
        config: constructor arguments; those of the name by default.
    """
    entry = registry.find(name)
    facts = INDEX.get(name, {"weight_salt": 0, "formula_args": {}})
    _, state = registry.abstract(entry.architecture, entry.config if config is None else config)
    shapes = torch_shapes(state) if config else facts.get("translated", torch_shapes(state))
    return {
        key: weight(key, shape, facts["weight_salt"], **facts["formula_args"])
        for key, shape in shapes.items()
    }


def _first_with(name: str, config: Callable[[str], Mapping[str, Any]]) -> str:
    """The first name whose network is one and the same for given arguments."""

    def facts(other: str) -> tuple:
        entry = registry.find(other)
        sides = (entry.scale, entry.size_multiple, entry.size_minimum)
        return entry.architecture, config(other), sides, INDEX.get(other, {}).get("formula_args")

    return next(other for other in cem.models.names() if facts(other) == facts(name))


def first(name: str) -> str:
    """The first name of the same network with the same weights."""
    return _first_with(name, lambda other: registry.find(other).config)


@functools.cache
def _small_network(name: str) -> cem.Network:
    return cem.from_torch(name, state_dict(name, small(name)))


def first_small(name: str) -> str:
    """The first name of the same network with few and narrow layers."""
    return _first_with(name, small)


def small_network(name: str) -> cem.Network:
    """A network with few and narrow layers and the formula's weights."""
    return _small_network(first_small(name))


def config(network: cem.Network) -> dict[str, Any]:
    """The constructor arguments of a network of the zoo."""
    apply: Any = network.apply
    return dict(getattr(apply, "apply", apply).config)


@functools.lru_cache(maxsize=1)
def _network(name: str) -> cem.Network:
    return cem.from_torch(name, state_dict(name))


def network(name: str) -> cem.Network:
    """A network as it is published, with the formula's weights."""
    return _network(first(name))
