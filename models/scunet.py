"""SCUNet: Practical Blind Image Denoising via Swin-Conv-UNet (Zhang et al., MIR 2023)."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import (
    GELU,
    Conv,
    ConvTranspose,
    LayerNorm,
    Linear,
    Pairs,
    ReLU,
    Sequential,
    Stage,
    attend_in_windows,
    either,
    enlarged,
    neighbours,
    reach,
    reduced,
    relative_position_index,
    windows,
)

_HEAD_WIDTH = 32
_WINDOW = 8
_MULTIPLE = 64
"""Three halvings of whole windows."""


class WMSA(nnx.Module):
    """Self-attention in windows with a learnt bias for every relative position."""

    def __init__(self, dim: int, shift: int, *, rngs: nnx.Rngs):
        self.shift = shift
        shape = (dim // _HEAD_WIDTH, 2 * _WINDOW - 1, 2 * _WINDOW - 1)
        init = jax.nn.initializers.truncated_normal(0.02)
        self.embedding_layer = Linear(dim, 3 * dim, rngs=rngs)
        self.relative_position_params = nnx.Param(init(rngs.params(), shape))
        self.linear = Linear(dim, dim, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        table = self.relative_position_params[...]
        bias = table.reshape(table.shape[0], -1)[:, relative_position_index(_WINDOW)]
        return self.linear(attend_in_windows(self.embedding_layer(x), bias, _WINDOW, self.shift))


class Block(nnx.Module):
    """Window attention and feed-forward part, each around a skip."""

    def __init__(self, dim: int, shift: int, *, rngs: nnx.Rngs):
        self.ln1 = LayerNorm(dim)
        self.msa = WMSA(dim, shift, rngs=rngs)
        self.ln2 = LayerNorm(dim)
        self.mlp = Sequential(
            Linear(dim, 4 * dim, rngs=rngs), GELU(), Linear(4 * dim, dim, rngs=rngs)
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        x = x + self.msa(self.ln1(x))
        return x + self.mlp(self.ln2(x))


class ConvTransBlock(nnx.Module):
    """Half of the channels through convolutions, half through a Swin block, around a skip."""

    def __init__(self, dim: int, shift: int, *, rngs: nnx.Rngs):
        half = dim // 2
        self.trans_block = Block(half, shift, rngs=rngs)
        self.conv1_1 = Conv(dim, dim, 1, rngs=rngs)
        self.conv1_2 = Conv(dim, dim, 1, init_scale=0.1, rngs=rngs)
        self.conv_block = Sequential(
            Conv(half, half, use_bias=False, rngs=rngs),
            ReLU(),
            Conv(half, half, use_bias=False, init_scale=0.1, rngs=rngs),
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        local, wide = jnp.split(self.conv1_1(x), 2, axis=-1)
        branches = [local + self.conv_block(local), self.trans_block(wide)]
        return x + self.conv1_2(jnp.concatenate(branches, axis=-1))


class Up(Sequential):
    """A transposed convolution that doubles the size, then blocks in pairs."""

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        doubling, *blocks = (getattr(self, str(index)) for index in range(self.length))
        return Pairs(*blocks)(doubling(x))


def _shifts(depth: int) -> list[int]:
    """Offsets of the windows' grid in a chain: none and half a window in turn."""
    return [0 if i % 2 == 0 else _WINDOW // 2 for i in range(depth)]


class SCUNet(nnx.Module):
    """A U-shaped network of blocks that join convolutions and Swin attention.

    The image is padded by replication at the bottom and the right to multiples of 64.

    Args:
        in_nc: channels of the image.
        depths: blocks on the way down, at the bottom and on the way up; called `config` in torch.
        dim: channels of the first level; every level doubles them.
        rngs: source of the initial weights.
    """

    def __init__(
        self,
        in_nc: int = 3,
        depths: tuple[int, ...] = (4, 4, 4, 4, 4, 4, 4),
        dim: int = 64,
        *,
        rngs: nnx.Rngs,
    ):
        def blocks(width: int, depth: int) -> list[ConvTransBlock]:
            return [ConvTransBlock(width, shift, rngs=rngs) for shift in _shifts(depth)]

        def down(width: int, depth: int) -> Pairs:
            halving = Conv(width, 2 * width, 2, stride=2, padding=0, use_bias=False, rngs=rngs)
            return Pairs(*blocks(width, depth), halving)

        def up(width: int, depth: int) -> Up:
            doubling = ConvTranspose(2 * width, width, 2, stride=2, use_bias=False, rngs=rngs)
            return Up(doubling, *blocks(width, depth))

        self.m_head = Sequential(Conv(in_nc, dim, use_bias=False, rngs=rngs))
        self.m_down1 = down(dim, depths[0])
        self.m_down2 = down(2 * dim, depths[1])
        self.m_down3 = down(4 * dim, depths[2])
        self.m_body = Pairs(*blocks(8 * dim, depths[3]))
        self.m_up3 = up(4 * dim, depths[4])
        self.m_up2 = up(2 * dim, depths[5])
        self.m_up1 = up(dim, depths[6])
        self.m_tail = Sequential(Conv(dim, in_nc, use_bias=False, init_scale=0.1, rngs=rngs))

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in_nc] -> [n, h, w, in_nc]."""
        _, h, w, _ = x.shape
        padding = [(0, -side % _MULTIPLE) for side in (h, w)]
        x1 = self.m_head(jnp.pad(x, ((0, 0), *padding, (0, 0)), mode="edge"))
        x2 = self.m_down1(x1)
        x3 = self.m_down2(x2)
        x4 = self.m_down3(x3)
        y = self.m_up3(self.m_body(x4) + x4)
        y = self.m_up2(y + x3)
        y = self.m_up1(y + x2)
        return self.m_tail(y + x1)[:, :h, :w]

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int | tuple[int, ...]]:
        """Constructor arguments, from the shapes of a torch state dict."""
        dim, in_nc = shapes["m_head.0.weight"][:2]
        stages = ("m_down1", "m_down2", "m_down3", "m_body", "m_up3", "m_up2", "m_up1")
        blocks = [key.split(".")[0] for key in shapes if key.endswith(".conv1_1.weight")]
        return {"in_nc": in_nc, "dim": dim, "depths": tuple(blocks.count(s) for s in stages)}

    @staticmethod
    def receptive_radius(
        depths: tuple[int, ...] = (4, 4, 4, 4, 4, 4, 4), **_: int | tuple[int, ...]
    ) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest.

        The windows' grids start at the top left corner, so pixels differ in how far they see; this
        is the farthest that any pixel sees. The skips reach less than what they bridge.
        """

        def blocks(depth: int) -> list[Stage]:
            return [either(neighbours(2), windows(_WINDOW, shift)) for shift in _shifts(depth)]

        down = [stage for depth in depths[:3] for stage in (*blocks(depth), reduced(2))]
        up = [stage for depth in depths[4:] for stage in (enlarged(2), *blocks(depth))]
        conv = neighbours(1)
        return reach([conv, *down, *blocks(depths[3]), *up, conv], _MULTIPLE)


ENTRIES = (
    Entry(
        "SCUNet",
        SCUNet,
        anchor=64,
        tasks=("DN",),
        official_files=("scunet_color_50.pth",),
        published_at="github.com/cszn/SCUNet",
        licence="Apache-2.0",
    ),
)
