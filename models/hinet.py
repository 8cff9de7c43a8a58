"""HINet: Half Instance Normalization Network for Image Restoration (Chen et al., CVPRW 2021)."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .argument import Argument
from .entry import Entry
from .layers import Conv, ConvTranspose, InstanceNorm, SupervisedAttention


class ConvBlock(nnx.Module):
    """Two convolutions around a skip; the first half of the channels may be normalised between.

    Args:
        in_size: channels of the input.
        out_size: channels of the output.
        relu_slope: slope of the rectifiers where negative.
        normalise: whether the half instance normalisation is there.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        in_size: int,
        out_size: int,
        relu_slope: float,
        *,
        normalise: bool = False,
        rngs: nnx.Rngs,
    ):
        self.relu_slope = relu_slope
        self.identity = Conv(in_size, out_size, 1, rngs=rngs)
        self.conv_1 = Conv(in_size, out_size, rngs=rngs)
        self.conv_2 = Conv(out_size, out_size, init_scale=0.1, rngs=rngs)
        self.norm = InstanceNorm(out_size // 2) if normalise else None

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w C"]:
        y = self.conv_1(x)
        if self.norm is not None:
            first, second = jnp.split(y, 2, axis=-1)
            y = jnp.concatenate([self.norm(first), second], -1)
        y = jax.nn.leaky_relu(y, self.relu_slope)
        return jax.nn.leaky_relu(self.conv_2(y), self.relu_slope) + self.identity(x)


class DownBlock(ConvBlock):
    """A block whose output also goes on at half size.

    Args:
        in_size: channels of the input.
        out_size: channels of the output.
        relu_slope: slope of the rectifiers where negative.
        normalise: whether the half instance normalisation is there.
        rngs: source of the initial weights.
    """

    def __init__(
        self, in_size: int, out_size: int, relu_slope: float, *, normalise: bool, rngs: nnx.Rngs
    ):
        super().__init__(in_size, out_size, relu_slope, normalise=normalise, rngs=rngs)
        self.downsample = Conv(
            out_size, out_size, 4, stride=2, padding=1, use_bias=False, rngs=rngs
        )

    def __call__(
        self, x: Float[jax.Array, "n h w c"]
    ) -> tuple[Float[jax.Array, "n H W C"], Float[jax.Array, "n h w C"]]:
        """The output at half size and at full size."""
        y = super().__call__(x)
        return self.downsample(y), y


class FusingDownBlock(DownBlock):
    """A block that adds what the encoder and decoder of the stage before made at its level.

    Args:
        in_size: channels of the input.
        out_size: channels of the output.
        relu_slope: slope of the rectifiers where negative.
        normalise: whether the half instance normalisation is there.
        rngs: source of the initial weights.
    """

    def __init__(
        self, in_size: int, out_size: int, relu_slope: float, *, normalise: bool, rngs: nnx.Rngs
    ):
        super().__init__(in_size, out_size, relu_slope, normalise=normalise, rngs=rngs)
        self.csff_enc = Conv(out_size, out_size, init_scale=0.1, rngs=rngs)
        self.csff_dec = Conv(out_size, out_size, init_scale=0.1, rngs=rngs)

    def __call__(
        self,
        x: Float[jax.Array, "n h w c"],
        encoded: Float[jax.Array, "n h w C"],
        decoded: Float[jax.Array, "n h w C"],
    ) -> tuple[Float[jax.Array, "n H W C"], Float[jax.Array, "n h w C"]]:
        """The output at half size and at full size."""
        y = ConvBlock.__call__(self, x) + self.csff_enc(encoded) + self.csff_dec(decoded)
        return self.downsample(y), y


class UpBlock(nnx.Module):
    """Doubles the size and joins the skip's features."""

    def __init__(self, in_size: int, out_size: int, relu_slope: float, *, rngs: nnx.Rngs):
        self.up = ConvTranspose(in_size, out_size, 2, stride=2, rngs=rngs)
        self.conv_block = ConvBlock(in_size, out_size, relu_slope, rngs=rngs)

    def __call__(
        self, x: Float[jax.Array, "n h w c"], bridge: Float[jax.Array, "n H W C"]
    ) -> Float[jax.Array, "n H W C"]:
        return self.conv_block(jnp.concatenate([self.up(x), bridge], -1))


class HINet(nnx.Module):
    """Two U-Nets in a row; the second one sees the first one's features and corrects the image.

    Args:
        in_chn: channels of the image.
        wf: channels at full size; every level doubles them.
        depth: number of levels.
        relu_slope: slope of the rectifiers where negative.
        hin_position_left: first level of the way down with half instance normalisation.
        hin_position_right: last such level.
        rngs: source of the initial weights.
    """

    arguments = (
        Argument(
            "relu_slope",
            "relu_slope",
            "slope of the rectifiers where negative: 0.2 in all published files",
        ),
    )

    def __init__(
        self,
        in_chn: int = 3,
        wf: int = 64,
        depth: int = 5,
        relu_slope: float = 0.2,
        hin_position_left: int = 0,
        hin_position_right: int = 4,
        *,
        rngs: nnx.Rngs,
    ):
        widths = [wf * 2**level for level in range(depth)]
        lowest = depth - 1

        def way_down(kind: type[DownBlock]) -> nnx.List:
            path = []
            for level, width in enumerate(widths):
                block = kind if level < lowest else ConvBlock
                normalise = hin_position_left <= level <= hin_position_right
                before = widths[max(level - 1, 0)]
                path.append(block(before, width, relu_slope, normalise=normalise, rngs=rngs))
            return nnx.List(path)

        def way_up() -> nnx.List:
            return nnx.List(
                UpBlock(widths[level + 1], widths[level], relu_slope, rngs=rngs)
                for level in reversed(range(lowest))
            )

        def skips() -> nnx.List:
            return nnx.List(
                Conv(widths[level], widths[level], rngs=rngs) for level in reversed(range(lowest))
            )

        self.conv_01 = Conv(in_chn, wf, rngs=rngs)
        self.conv_02 = Conv(in_chn, wf, rngs=rngs)
        self.down_path_1 = way_down(DownBlock)
        self.down_path_2 = way_down(FusingDownBlock)
        self.up_path_1, self.up_path_2 = way_up(), way_up()
        self.skip_conv_1, self.skip_conv_2 = skips(), skips()
        self.sam12 = SupervisedAttention(wf, 3, rngs=rngs)
        self.cat12 = Conv(2 * wf, wf, 1, rngs=rngs)
        self.last = Conv(wf, in_chn, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in_chn] -> [n, h, w, in_chn]; h and w are multiples of 2**(depth - 1)."""
        y = self.conv_01(x)
        *down, lowest = self.down_path_1
        encoded = []
        for block in down:
            y, features = block(y)
            encoded.append(features)
        y = lowest(y)
        decoded = []
        for block, skip, features in self._way_up(self.up_path_1, self.skip_conv_1, encoded):
            y = block(y, skip(features))
            decoded.append(y)

        y = self.cat12(jnp.concatenate([self.conv_02(x), self.sam12(y, x)], -1))
        *down, lowest = self.down_path_2
        fused = []
        for block, *before in zip(down, encoded, reversed(decoded), strict=True):
            y, features = block(y, *before)
            fused.append(features)
        y = lowest(y)
        for block, skip, features in self._way_up(self.up_path_2, self.skip_conv_2, fused):
            y = block(y, skip(features))
        return x + self.last(y)

    @staticmethod
    def _way_up(blocks: nnx.List, skips: nnx.List, features: list[jax.Array]) -> zip:
        return zip(blocks, skips, reversed(features), strict=True)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        wf, in_chn = shapes["conv_01.weight"][:2]
        path = [key.split(".") for key in shapes if key.startswith("down_path_1.")]
        normalised = [int(key[1]) for key in path if key[2] == "norm"]
        return {
            "in_chn": in_chn,
            "wf": wf,
            "depth": 1 + max(int(key[1]) for key in path),
            "hin_position_left": min(normalised, default=0),
            "hin_position_right": max(normalised, default=-1),
        }

    @staticmethod
    def receptive_radius(**_: float) -> None:
        """None: the instance normalisations see the whole image."""
        return None


ENTRIES = (
    Entry(
        "HINet",
        HINet,
        tasks=("DR",),
        official_files=("HINet-Rain13k.pth",),
        published_at="github.com/megvii-model/HINet",
        licence="MIT",
        size_multiple=16,
        size_minimum=17,  # the lowest level needs more than one pixel
        global_operations=("instance normalisation in every block of the ways down",),
    ),
)
