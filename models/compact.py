"""The compact networks: the real architectures made small by their constructor arguments.

Siblings have equal bodies, so that what a comparison shows is what tells them apart. A network is
in the registry once its weights lie in `weights/`; `experiments/train.py` trains all of them.
"""

import dataclasses
from pathlib import Path
from typing import Any

from . import dncnn, edsr, fsrcnn, prenet, rcan, restormer, rnan, srcnn, srresnet, swinir
from .entry import Entry

_OFFICIAL = {
    entry.name: entry
    for module in (dncnn, edsr, fsrcnn, prenet, rcan, restormer, rnan, srcnn, srresnet, swinir)
    for entry in module.ENTRIES
}
_RCAN = {"num_feat": 24, "num_group": 4, "num_block": 3, "squeeze_factor": 6}
_SRRESNET = {"num_feat": 32, "num_block": 6}
_SWINIR = {"embed_dim": 36, "depths": (2, 2, 2), "num_heads": (2, 2, 2)}
_SWINIR_SAME_SIZE = {**_SWINIR, "upsampler": ""}
"""With the skip from input to output of the published denoiser, which single, mix and MIO networks
share here. Without it, as the paper's code has it in some of them, a short training loses more of
the image than it restores."""
_RESTORMER = {"dim": 8, "num_blocks": (1, 1, 1, 2), "num_refinement_blocks": 1}

_SEVERAL = {
    "SRResNet_mix": _SRRESNET,
    "RCAN_mix": _RCAN,
    "SwinIR_mix": _SWINIR_SAME_SIZE,
    "SRResNet_MIO": _SRRESNET,
    "SwinIR_MIO": _SWINIR_SAME_SIZE,
}
"""Trained on several tasks, SR among them, whose input is enlarged beforehand."""


def _compact(base: Entry, **small: Any) -> Entry:
    return dataclasses.replace(
        base,
        name=f"{base.name}-compact",
        config={**base.config, **small},
        official_files=(),
        published_at="",
        licence="trained here, Apache-2.0",
        bundled=True,
    )


def _variant(name: str, task: str, base: str) -> Entry:
    """A member of the channel-attention family that its authors publish for SR alone."""
    found = _OFFICIAL[base]
    return dataclasses.replace(
        found, name=name, config={**found.config, "upscale": 1}, tasks=(task,), scale=1
    )


_ALL = (
    # Its input is enlarged beforehand, as its authors do: resizing by aligned corners, as inside,
    # moves an image's borders by a pixel and a half, which no convolution learns to undo.
    dataclasses.replace(_compact(_OFFICIAL["SRCNN"], factors=1), scale=1),
    _compact(_OFFICIAL["FSRCNN"]),
    _compact(_OFFICIAL["EDSR"], width=32, depth=8),
    _compact(_OFFICIAL["SRResNet"], **_SRRESNET),
    # The body of the family, not that of the original code, which names its weights otherwise.
    _compact(_OFFICIAL["RCAN"], **_RCAN, layout="basicsr"),
    _compact(_OFFICIAL["RCAN_half_ca"], **_RCAN, num_ca_group=2),
    *(
        _compact(_OFFICIAL[f"RCAN_{kind}"], **_RCAN)
        for kind in ("no_ca", "pooling4", "pooling16", "pooling2x2", "pooling3x3")
    ),
    # The published tail of 64 channels would be most of so small a network's computation.
    _compact(_OFFICIAL["SwinIR"], **_SWINIR, tail_width=24),
    _compact(_OFFICIAL["RNAN"], n_feats=16, n_resgroup=3),
    _compact(_OFFICIAL["DnCNN"], nc=48, nb=12),
    _compact(_OFFICIAL["SRResNet_DN"], **_SRRESNET),
    _compact(_OFFICIAL["RCAN_DN"], **_RCAN),
    *(
        _compact(_variant(f"RCAN_DN_{kind}", "DN", f"RCAN_{kind}"), **_RCAN)
        for kind in ("no_ca", "pooling4", "pooling2x2")
    ),
    _compact(_OFFICIAL["SwinIR_DN"], **_SWINIR_SAME_SIZE),
    _compact(_OFFICIAL["Restormer_DN"], **_RESTORMER),
    _compact(_OFFICIAL["PReNet"], recurrent_iter=4),
    _compact(_OFFICIAL["SRResNet_DR"], **_SRRESNET),
    _compact(_OFFICIAL["RCAN_DR"], **_RCAN),
    _compact(_OFFICIAL["SwinIR_DR"], **_SWINIR_SAME_SIZE),
    *(
        dataclasses.replace(_compact(_OFFICIAL[name], **small), tasks=("SR", "DN", "DR"))
        for name, small in _SEVERAL.items()
    ),
)
COMPACT = {entry.name: entry for entry in _ALL}
"""Every compact network by name, trained or not yet."""

_WEIGHTS = Path(__file__).parent / "weights"
ENTRIES = tuple(entry for entry in _ALL if (_WEIGHTS / f"{entry.name}.safetensors").is_file())
