"""DBPN: Deep Back-Projection Networks for Super-Resolution (Haris et al., CVPR 2018)."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .argument import Argument
from .entry import Entry
from .layers import (
    Conv,
    ConvTranspose,
    PReLU,
    neighbours,
    reach,
    transposed,
    upsample_bicubic,
)
from .layers.reach import Interval

_PADDING = 2


class ConvBlock(nnx.Module):
    """Convolution and PReLU."""

    def __init__(self, conv: Conv):
        self.conv = conv
        self.act = PReLU()

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return self.act(self.conv(x))


class DeconvBlock(nnx.Module):
    """Transposed convolution and PReLU."""

    def __init__(self, deconv: ConvTranspose):
        self.deconv = deconv
        self.act = PReLU()

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W c"]:
        return self.act(self.deconv(x))


def _blend(width: int, inputs: int, *, rngs: nnx.Rngs) -> ConvBlock | None:
    """A 1x1 convolution that several concatenated inputs pass, and a single one does not."""
    return ConvBlock(Conv(inputs * width, width, 1, rngs=rngs)) if inputs > 1 else None


def _shrink(width: int, scale: int, *, rngs: nnx.Rngs) -> ConvBlock:
    return ConvBlock(Conv(width, width, scale + 4, stride=scale, padding=_PADDING, rngs=rngs))


def _enlarge(width: int, scale: int, *, rngs: nnx.Rngs) -> DeconvBlock:
    return DeconvBlock(
        ConvTranspose(width, width, scale + 4, stride=scale, padding=_PADDING, rngs=rngs)
    )


class DownBlock(nnx.Module):
    """Shrinks, and corrects by what enlarging the result gets wrong.

    Args:
        width: channels.
        scale: factor.
        inputs: number of concatenated inputs.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, scale: int, inputs: int, *, rngs: nnx.Rngs):
        self.conv = _blend(width, inputs, rngs=rngs)
        self.down_conv1 = _shrink(width, scale, rngs=rngs)
        self.down_conv2 = _enlarge(width, scale, rngs=rngs)
        self.down_conv3 = _shrink(width, scale, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        x = x if self.conv is None else self.conv(x)
        low = self.down_conv1(x)
        return self.down_conv3(self.down_conv2(low) - x) + low


class UpBlock(nnx.Module):
    """Enlarges, and corrects by what shrinking the result gets wrong.

    Args:
        width: channels.
        scale: factor.
        inputs: number of concatenated inputs.
        rngs: source of the initial weights.
    """

    def __init__(self, width: int, scale: int, inputs: int, *, rngs: nnx.Rngs):
        self.conv = _blend(width, inputs, rngs=rngs)
        self.up_conv1 = _enlarge(width, scale, rngs=rngs)
        self.up_conv2 = _shrink(width, scale, rngs=rngs)
        self.up_conv3 = _enlarge(width, scale, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        x = x if self.conv is None else self.conv(x)
        high = self.up_conv1(x)
        return self.up_conv3(self.up_conv2(high) - x) + high


class Reconstruction(nnx.Module):
    """The last convolution, without activation."""

    def __init__(self, conv: Conv):
        self.conv = conv

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w C"]:
        return self.conv(x)


class DDBPN(nnx.Module):
    """Enlarging and shrinking in turn; every step sees all earlier results of its input size.

    DBPN-RES-MR64-3 passes its low-resolution features through the same steps several times, and
    puts the image together from the last result of each pass.

    Args:
        num_channels: channels of the image.
        base_filter: channels of the projections.
        feat: channels of the first convolution.
        num_stages: number of enlargements.
        scale_factor: upscaling factor, 2, 4 or 8.
        passes: how often the steps are passed; more than once, only last results are used.
        residual: whether the image, enlarged, is added: "yes" or "no".
        rngs: source of the initial weights.
    """

    arguments = (
        Argument(
            "residual",
            "residual",
            "whether the bicubically enlarged image is added to the output, which the weights do "
            "not tell: the published files of 7 and 10 stages are without, files from its "
            "authors' main.py as it stands are with; where it is not given, yes for "
            "DBPN-RES-MR64-3, which is known by its passes",
            choices=("no", "yes"),
        ),
    )

    def __init__(
        self,
        num_channels: int = 3,
        base_filter: int = 64,
        feat: int = 256,
        num_stages: int = 7,
        scale_factor: int = 4,
        passes: int = 1,
        residual: str = "no",
        *,
        rngs: nnx.Rngs,
    ):
        self.num_stages, self.scale_factor, self.passes = num_stages, scale_factor, passes
        self.corrects = residual == "yes"
        self.feat0 = ConvBlock(Conv(num_channels, feat, rngs=rngs))
        self.feat1 = ConvBlock(Conv(feat, base_filter, 1, rngs=rngs))
        self.up1 = UpBlock(base_filter, scale_factor, 1, rngs=rngs)
        for stage in range(1, num_stages):
            down = DownBlock(base_filter, scale_factor, stage, rngs=rngs)
            setattr(self, f"down{stage}", down)
            up = UpBlock(base_filter, scale_factor, stage, rngs=rngs)
            setattr(self, f"up{stage + 1}", up)
        results = num_stages if passes == 1 else passes
        self.output_conv = Reconstruction(
            Conv(results * base_filter, num_channels, init_scale=0.1, rngs=rngs)
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_channels] -> [n, h * scale_factor, w * scale_factor, num_channels]."""
        features, high, results = self.feat1(self.feat0(x)), [], []
        for _ in range(self.passes):
            # Concatenations have the newest result first, that of passes the oldest.
            high, low = [self.up1(features)], []
            for stage in range(1, self.num_stages):
                low.insert(0, getattr(self, f"down{stage}")(jnp.concatenate(high, -1)))
                high.insert(0, getattr(self, f"up{stage + 1}")(jnp.concatenate(low, -1)))
                features = low[0]
            results.append(high[0])
        y = self.output_conv(jnp.concatenate(high if self.passes == 1 else results, -1))
        return y + upsample_bicubic(x, self.scale_factor) if self.corrects else y

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int | str]:
        """Constructor arguments, from the shapes of a torch state dict."""
        feat, num_channels = shapes["feat0.conv.weight"][:2]
        base_filter = shapes["feat1.conv.weight"][0]
        stages = sum(key.startswith("up") and key.endswith(".up_conv1.deconv.weight")
                     for key in shapes)  # fmt: skip
        results = shapes["output_conv.conv.weight"][1] // base_filter
        several = results != stages
        return {
            "num_channels": num_channels,
            "base_filter": base_filter,
            "feat": feat,
            "num_stages": stages,
            "scale_factor": shapes["up1.up_conv1.deconv.weight"][-1] - 4,
            "passes": results if several else 1,
            "residual": "yes" if several else "no",
        }

    @staticmethod
    def receptive_radius(
        num_stages: int = 7, scale_factor: int = 4, passes: int = 1, **_: object
    ) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        enlarge = transposed(scale_factor + 4, scale_factor, _PADDING)

        def shrink(i: Interval) -> Interval:
            return i[0] * scale_factor - _PADDING, (i[1] + 1) * scale_factor + _PADDING - 1

        up = [enlarge, shrink, enlarge]
        down = [shrink, enlarge, shrink]
        once, between = [*up, *(down + up) * (num_stages - 1)], (up + down) * (num_stages - 1)
        stages = [neighbours(1), *between * (passes - 1), *once, neighbours(1)]
        return reach(stages, period=1, scale=scale_factor)


ENTRIES = (
    Entry(
        "DDBPN",
        DDBPN,
        tasks=("SR",),
        scale=4,
        official_files=("DBPN_x4_new.pth",),
        published_at="github.com/J-FHu/CEM",
        licence="none stated",
    ),
)
