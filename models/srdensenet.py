"""SRDenseNet: Image Super-Resolution Using Dense Skip Connections (Tong et al., ICCV 2017).

Two networks of this paper are in use; they differ in what a dense block keeps of its input.
"""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import Conv, ConvTranspose, ReLU, Sequential, neighbours, reach, transposed


class ConvLayer(nnx.Module):
    """relu(conv(x))."""

    def __init__(self, in_features: int, out_features: int, *, rngs: nnx.Rngs):
        self.conv = Conv(in_features, out_features, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w C"]:
        return jax.nn.relu(self.conv(x))


class DenseLayer(ConvLayer):
    """The input, and behind it relu(conv(x))."""

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w C"]:
        return jnp.concatenate([x, super().__call__(x)], -1)


class GrowingBlock(nnx.Module):
    """Dense layers, all of which keep the block's input among theirs."""

    def __init__(self, in_features: int, growth: int, depth: int, *, rngs: nnx.Rngs):
        self.block = Sequential(
            *(DenseLayer(in_features + i * growth, growth, rngs=rngs) for i in range(depth))
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w C"]:
        return self.block(x)


class RestartingBlock(nnx.Module):
    """Dense layers of which only the first sees the block's input; it joins them at the end."""

    def __init__(self, in_features: int, growth: int, depth: int, *, rngs: nnx.Rngs):
        self.block = Sequential(
            ConvLayer(in_features, growth, rngs=rngs),
            *(DenseLayer(i * growth, growth, rngs=rngs) for i in range(1, depth)),
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w C"]:
        return jnp.concatenate([x, self.block(x)], -1)


def _depths(shapes: dict[str, tuple[int, ...]], blocks: str) -> tuple[int, int]:
    """Number of blocks and of layers in each, from keys like `blocks.7.block.7.conv.weight`."""
    paths = [key.split(".") for key in shapes if key.startswith(f"{blocks}.")]
    return 1 + max(int(path[1]) for path in paths), 1 + max(int(path[3]) for path in paths)


class SRDenseNet(nnx.Module):
    """Dense blocks, a bottleneck, and two linear doublings.

    Args:
        num_channels: channels of the image.
        growth_rate: channels that a layer adds.
        num_layers: layers of a block.
        num_blocks: number of blocks.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        num_channels: int = 3,
        growth_rate: int = 16,
        num_layers: int = 8,
        num_blocks: int = 8,
        *,
        rngs: nnx.Rngs,
    ):
        self.conv1 = Conv(num_channels, growth_rate, rngs=rngs)
        grown = growth_rate * num_layers
        self.denseblock = Sequential(
            *(
                GrowingBlock(growth_rate + i * grown, growth_rate, num_layers, rngs=rngs)
                for i in range(num_blocks)
            )
        )
        self.Bottleneck = Conv(growth_rate + num_blocks * grown, 128, 1, rngs=rngs)
        self.convt1 = ConvTranspose(128, 128, 4, stride=2, padding=1, rngs=rngs)
        self.convt2 = ConvTranspose(128, 128, 4, stride=2, padding=1, rngs=rngs)
        self.conv2 = Conv(128, num_channels, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_channels] -> [n, h * 4, w * 4, num_channels]."""
        x = self.denseblock(jax.nn.relu(self.conv1(x)))
        return self.conv2(self.convt2(self.convt1(self.Bottleneck(x))))

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        growth, num_channels = shapes["conv1.weight"][:2]
        blocks, layers = _depths(shapes, "denseblock")
        return {
            "num_channels": num_channels,
            "growth_rate": growth,
            "num_layers": layers,
            "num_blocks": blocks,
        }

    @staticmethod
    def receptive_radius(num_layers: int = 8, num_blocks: int = 8, **_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        double = transposed(4, 2, 1)
        stages = [neighbours(1 + num_layers * num_blocks), double, double, neighbours(1)]
        return reach(stages, period=1, scale=4)


class SRDenseNet17(nnx.Module):
    """Dense blocks that restart, a bottleneck, and two rectified doublings.

    Args:
        num_channels: channels of the image.
        growth_rate: channels that a layer adds.
        num_blocks: number of blocks.
        num_layers: layers of a block.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        num_channels: int = 3,
        growth_rate: int = 16,
        num_blocks: int = 8,
        num_layers: int = 8,
        *,
        rngs: nnx.Rngs,
    ):
        grown = growth_rate * num_layers
        self.conv = ConvLayer(num_channels, grown, rngs=rngs)
        self.dense_blocks = Sequential(
            *(
                RestartingBlock(grown * (i + 1), growth_rate, num_layers, rngs=rngs)
                for i in range(num_blocks)
            )
        )
        self.bottleneck = Sequential(Conv(grown * (num_blocks + 1), 256, 1, rngs=rngs), ReLU())
        double = {"stride": 2, "padding": 1, "output_padding": 1, "rngs": rngs}
        self.deconv = Sequential(
            ConvTranspose(256, 256, 3, **double),
            ReLU(),
            ConvTranspose(256, 256, 3, **double),
            ReLU(),
        )
        self.reconstruction = Conv(256, num_channels, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_channels] -> [n, h * 4, w * 4, num_channels]."""
        x = self.dense_blocks(self.conv(x))
        return self.reconstruction(self.deconv(self.bottleneck(x)))

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        blocks, layers = _depths(shapes, "dense_blocks")
        return {
            "num_channels": shapes["conv.conv.weight"][1],
            "growth_rate": shapes["dense_blocks.0.block.0.conv.weight"][0],
            "num_blocks": blocks,
            "num_layers": layers,
        }

    @staticmethod
    def receptive_radius(num_blocks: int = 8, num_layers: int = 8, **_: int) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest."""
        double = transposed(3, 2, 1)
        stages = [neighbours(1 + num_blocks * num_layers), double, double, neighbours(1)]
        return reach(stages, period=1, scale=4)


ENTRIES = (
    Entry(
        "SRDenseNet",
        SRDenseNet,
        tasks=("SR",),
        scale=4,
        official_files=("SRDenseNet_15000.pth",),
        published_at="github.com/J-FHu/CEM",
        licence="none stated",
    ),
    Entry("SRDenseNet17", SRDenseNet17, tasks=("SR",), scale=4),
)
