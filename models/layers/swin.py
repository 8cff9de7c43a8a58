"""Groups of Swin blocks (Liu et al., ICCV 2021), as SwinIR and networks after it have them."""

import jax
from flax import nnx
from jaxtyping import Float

from .activation import LeakyReLU
from .conv import Conv
from .mlp import Mlp
from .norm import LayerNorm
from .pairs import Pairs
from .sequential import Sequential
from .window import WindowAttention


def depths_of(shapes: dict[str, tuple[int, ...]], end: str = ".attn.qkv.weight") -> tuple[int, ...]:
    """Number of blocks in every group, from the shapes of a torch state dict.

    Args:
        shapes: by torch key.
        end: of a key that every block has once.
    """
    groups = [int(key.split(".")[1]) for key in shapes if key.endswith(end)]
    return tuple(groups.count(group) for group in range(max(groups) + 1))


class PatchEmbed(nnx.Module):
    """Normalisation of the first features; patches are single pixels."""

    def __init__(self, embed_dim: int):
        self.norm = LayerNorm(embed_dim)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return self.norm(x)


class SwinTransformerBlock(nnx.Module):
    """Window attention and feed-forward part, each around a skip."""

    def __init__(
        self,
        dim: int,
        num_heads: int,
        window_size: int,
        shift: int,
        mlp_ratio: float,
        *,
        rngs: nnx.Rngs,
    ):
        self.norm1 = LayerNorm(dim)
        self.attn = WindowAttention(dim, window_size, num_heads, shift, rngs=rngs)
        self.norm2 = LayerNorm(dim)
        self.mlp = Mlp(dim, round(dim * mlp_ratio), rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        x = x + self.attn(self.norm1(x))
        return x + self.mlp(self.norm2(x))


class BasicLayer(nnx.Module):
    """Swin blocks whose windows are plain and shifted by half in turn."""

    def __init__(
        self,
        dim: int,
        depth: int,
        num_heads: int,
        window_size: int,
        mlp_ratio: float,
        *,
        rngs: nnx.Rngs,
    ):
        shifts = [0 if i % 2 == 0 else window_size // 2 for i in range(depth)]
        self.blocks = Pairs(
            *(
                SwinTransformerBlock(dim, num_heads, window_size, shift, mlp_ratio, rngs=rngs)
                for shift in shifts
            )
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return self.blocks(x)


def closing(dim: int, resi_connection: str, rngs: nnx.Rngs) -> Conv | Sequential:
    """What stands at the end of a skip: one convolution, or three with a bottleneck."""
    if resi_connection == "1conv":
        return Conv(dim, dim, init_scale=0.1, rngs=rngs)
    hidden = dim // 4
    return Sequential(
        Conv(dim, hidden, rngs=rngs),
        LeakyReLU(0.2),
        Conv(hidden, hidden, 1, rngs=rngs),
        LeakyReLU(0.2),
        Conv(hidden, dim, init_scale=0.1, rngs=rngs),
    )


class RSTB(nnx.Module):
    """x + conv(swin blocks(x))."""

    def __init__(
        self,
        dim: int,
        depth: int,
        num_heads: int,
        window_size: int,
        mlp_ratio: float,
        resi_connection: str,
        *,
        rngs: nnx.Rngs,
    ):
        self.residual_group = BasicLayer(dim, depth, num_heads, window_size, mlp_ratio, rngs=rngs)
        self.conv = closing(dim, resi_connection, rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return x + self.conv(self.residual_group(x))
