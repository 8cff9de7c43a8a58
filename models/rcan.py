"""RCAN: Residual Channel Attention Networks (Zhang et al., ECCV 2018)."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float

from .argument import Argument
from .entry import Entry, OtherVariant
from .layers import (
    DIV2K_MEAN,
    CALayer,
    Chain,
    ChannelAttention,
    Conv,
    MeanShift,
    ReLU,
    Sequential,
    Upsampler,
    from_range,
    to_range,
)
from .value_range import FOUND_RANGE, found_range, mean_of

_FLICKR_MEAN = (0.4690, 0.4490, 0.4036)


def _run(
    module: nnx.Module, stages: Iterable[str], x: Float[jax.Array, "n h w c"]
) -> Float[jax.Array, "n H W C"]:
    for stage in stages:
        x = getattr(module, stage)(x)
    return x


class Residual(nnx.Module):
    """x + scale * (the stages applied in order).

    Args:
        scale: factor on what is added.
        **stages: modules under the names that their weights carry.
    """

    def __init__(self, scale: float = 1.0, **stages: nnx.Module):
        self.scale = scale
        self.stages = tuple(stages)
        for name, stage in stages.items():
            setattr(self, name, stage)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        y = _run(self, self.stages, x)
        return x + (y if self.scale == 1 else self.scale * y)


class Offset(nnx.Module):
    """x + sign * mean, a mean colour in [0, value_range]; not part of checkpoints."""

    def __init__(self, sign: int, value_range: int):
        self.offset = tuple(sign * float(value_range) * value for value in DIV2K_MEAN)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return x + jnp.asarray(self.offset, x.dtype).reshape(1, 1, 1, 3)


class RCAN(nnx.Module):
    """Groups of residual blocks with channel attention between two global skips.

    Args:
        num_in_ch: channels of the input.
        num_out_ch: channels of the output.
        num_feat: channels inside.
        num_group: number of residual groups.
        num_block: number of blocks in a group.
        squeeze_factor: ratio of channels to hidden channels in the attention.
        upscale: upscaling factor, 3 or a power of 2.
        num_ca_group: number of groups, the first ones, whose blocks have attention; None: all.
        bins: parts along each side of the image that have their own attention.
        cell: side of these parts in pixels, counted from the top left corner; replaces `bins`.
        layout: whose names the weights carry, "basicsr" or "original" (the authors' code, which
            also stores the mean colour among the weights).
        res_scale: factor on what a block adds, 1 in the original code.
        value_range: largest value of the images inside, 1 or 255.
        rngs: source of the initial weights.
    """

    arguments = (
        Argument(
            "res_scale",
            "res_scale",
            "factor on what a block adds; BasicSR's code has it, that of the authors has 1",
        ),
        FOUND_RANGE,
    )

    def __init__(
        self,
        num_in_ch: int = 3,
        num_out_ch: int = 3,
        num_feat: int = 64,
        num_group: int = 10,
        num_block: int = 20,
        squeeze_factor: int = 16,
        upscale: int = 4,
        num_ca_group: int | None = None,
        bins: int = 1,
        cell: int | None = None,
        layout: str = "basicsr",
        res_scale: float = 1.0,
        value_range: int = 255,
        *,
        rngs: nnx.Rngs,
    ):
        if layout not in ("basicsr", "original"):
            raise ValueError(f"layout={layout!r} must be 'basicsr' or 'original'")
        original = layout == "original"
        if original and (bins != 1 or cell is not None):
            raise ValueError("layout='original' pools over the whole image")
        self.value_range = value_range
        num_ca_group = num_group if num_ca_group is None else num_ca_group

        def conv(out: int = num_feat, init_scale: float = 1.0) -> Conv:
            return Conv(num_feat, out, init_scale=init_scale, rngs=rngs)

        def block(attentive: bool) -> Residual:
            layers = [conv(), ReLU(), conv(init_scale=0.1)]
            if attentive and original:
                layers.append(CALayer(num_feat, squeeze_factor, rngs=rngs))
            elif attentive:
                layers.append(
                    ChannelAttention(num_feat, squeeze_factor, bins=bins, cell=cell, rngs=rngs)
                )
            return Residual(res_scale, **{"body" if original else "rcab": Sequential(*layers)})

        def group(attentive: bool) -> Residual:
            blocks = [block(attentive) for _ in range(num_block)]
            last = conv(init_scale=0.1)
            if original:
                return Residual(body=Chain(*blocks, last))
            return Residual(residual_group=Chain(*blocks), conv=last)

        first = Conv(num_in_ch, num_feat, rngs=rngs)
        attentive = [group(True) for _ in range(num_ca_group)]
        plain = [group(False) for _ in range(num_group - num_ca_group)]
        after = conv(init_scale=0.1)
        upsample = Upsampler(upscale, num_feat, rngs=rngs)
        last = conv(num_out_ch, init_scale=0.1)
        if original:
            mean = mean_of(value_range, _FLICKR_MEAN)
            stages = {
                "entry": {"sub_mean": MeanShift(-1, mean), "head": Sequential(first)},
                "trunk": {"body": Chain(*attentive, *plain, after)},
                "exit": {"tail": Sequential(upsample, last), "add_mean": MeanShift(+1, mean)},
            }
        else:
            mixed = attentive and plain
            bodies = {"body_ca": Chain(*attentive), "body_no_ca": Chain(*plain)}
            stages = {
                "entry": {"sub_mean": Offset(-1, value_range), "conv_first": first},
                "trunk": bodies if mixed else {"body": Chain(*attentive, *plain)},
                "exit": {"upsample": upsample, "conv_last": last},
            }
            stages["trunk"]["conv_after_body"] = after
            stages["exit"]["add_mean"] = Offset(+1, value_range)
        self.entry, self.trunk, self.exit = (tuple(part) for part in stages.values())
        for part in stages.values():
            for name, stage in part.items():
                setattr(self, name, stage)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_in_ch] -> [n, h * upscale, w * upscale, num_out_ch]."""
        x = _run(self, self.entry, to_range(x, self.value_range))
        x = x + _run(self, self.trunk, x)
        return from_range(_run(self, self.exit, x), self.value_range)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int | str]:
        """Constructor arguments, from the shapes of a torch state dict."""
        original = "head.0.weight" in shapes
        names = "head.0 tail.0. tail.1" if original else "conv_first upsample. conv_last"
        first, upsample, last = names.split()
        width, num_in_ch = shapes[f"{first}.weight"][:2]
        if num_in_ch != 3:
            raise OtherVariant(f"it takes {num_in_ch} channels, and mean colours have 3")
        body = [key.split(".") for key in shapes if key.startswith("body")]
        blocks = [key for key in body if len(key) > 5]
        groups = {(key[0], key[1]) for key in blocks}
        squeezes = {
            (key[0], key[1]): shapes[".".join(key)][0]
            for key in blocks
            if "attention.1.weight" in ".".join(key) or "conv_du.0.weight" in ".".join(key)
        }
        config = {
            "num_in_ch": num_in_ch,
            "num_out_ch": shapes[f"{last}.weight"][0],
            "num_feat": width,
            "num_group": len(groups),
            "num_block": 1 + max(int(key[3]) for key in blocks),
            "upscale": Upsampler.factor(shapes, upsample),
            "num_ca_group": len(squeezes),
            "layout": "original" if original else "basicsr",
        }
        if squeezes:
            config["squeeze_factor"] = width // next(iter(squeezes.values()))
        return config

    @staticmethod
    def found(weights: Mapping[str, np.ndarray]) -> dict[str, int]:
        """The range of values, from the mean colour where it is stored."""
        return found_range(weights)

    @staticmethod
    def receptive_radius(
        num_group: int = 10,
        num_block: int = 20,
        upscale: int = 4,
        num_ca_group: int | None = None,
        cell: int | None = None,
        **_: int | str,
    ) -> int | None:
        """Input pixels that reach an output pixel, counted from its own to the farthest.

        With cells it is an upper bound: a pixel of a cell and the cell that weights it lie within
        2 * (cell - 1), where the image's size is no multiple of the cell's.
        """
        attentive = num_group if num_ca_group is None else num_ca_group
        if attentive and cell is None:
            return None
        reach = 2 * (cell - 1) if attentive and cell else 0
        trunk = num_group * (2 * num_block + 1) + attentive * num_block * reach
        return trunk + 2 + (2 if upscale > 1 else 1)


def _entry(name: str, file: str, tasks: tuple[str, ...] = ("SR",), **config: Any) -> Entry:
    whole = config.get("num_ca_group") != 0 and "cell" not in config
    bins = config.get("bins", 1)
    pooling = f"average pooling over {bins} x {bins} parts" if bins > 1 else "average pooling"
    return Entry(
        name,
        RCAN,
        config,
        tasks=tasks,
        scale=config.get("upscale", 4),
        official_files=(file,),
        published_at="github.com/J-FHu/CEM",
        licence="none stated",
        size_minimum=config.get("cell", 1),
        anchor=None if "cell" in config else 1,
        global_operations=(f"{pooling} in channel attention",) if whole else (),
    )


ENTRIES = (
    Entry(
        "RCAN",
        RCAN,
        {"layout": "original"},
        tasks=("SR",),
        scale=4,
        official_files=("RCAN.pt", "RCAN_BIX4.pt"),
        published_at="github.com/yulunzhang/RCAN",
        licence="none stated",
        global_operations=("average pooling in channel attention",),
    ),
    _entry("RCAN_half_ca", "RCAN_half.pth", num_ca_group=5),
    _entry("RCAN_no_ca", "RCAN_noCA.pth", num_ca_group=0),
    _entry("RCAN_pooling4", "RCAN_pooling4.pth", cell=4),
    _entry("RCAN_pooling16", "RCAN_pooling16.pth", cell=16),
    _entry("RCAN_pooling2x2", "RCAN_pooling2x2.pth", bins=2),
    _entry("RCAN_pooling3x3", "RCAN_pooling3x3.pth", bins=3),
    _entry("RCAN_DN", "RCAN_DN.pth", ("DN",), upscale=1),
    _entry("RCAN_DR", "RCAN_DR.pth", ("DR",), upscale=1),
    _entry("RCAN_mix", "mix_RCAN.pth", ("DN", "DR"), upscale=1, num_block=16),
)
