"""DRUNet: Plug-and-Play Image Restoration with Deep Denoiser Prior (Zhang et al., TPAMI 2021)."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .argument import NoiseLevel
from .entry import Entry, OtherVariant
from .layers import (
    Conv,
    ConvTranspose,
    ReLU,
    Sequential,
    Told,
    enlarged,
    neighbours,
    reach,
    reduced,
)


class ResBlock(nnx.Module):
    """x + conv(relu(conv(x))), without biases."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.res = Sequential(
            Conv(width, width, use_bias=False, rngs=rngs),
            ReLU(),
            Conv(width, width, init_scale=0.1, use_bias=False, rngs=rngs),
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n h w c"]:
        return x + self.res(x)


class DRUNet(nnx.Module):
    """A U-Net of residual blocks, told the noise level by a constant plane.

    Args:
        in_nc: channels of the image, to which a plane is added.
        out_nc: channels of the output.
        nc: channels inside, from full size to an eighth of it.
        nb: residual blocks of each stage.
        noise_level: deviation of the noise, in [0, 1].
        rngs: source of the initial weights.
    """

    arguments = (NoiseLevel("noise_level"),)

    def __init__(
        self,
        in_nc: int = 3,
        out_nc: int = 3,
        nc: tuple[int, int, int, int] = (64, 128, 256, 512),
        nb: int = 4,
        noise_level: float = 50 / 255,
        *,
        rngs: nnx.Rngs,
    ):
        def blocks(width: int) -> list[ResBlock]:
            return [ResBlock(width, rngs=rngs) for _ in range(nb)]

        def down(fine: int, coarse: int) -> Sequential:
            shrink = Conv(fine, coarse, 2, stride=2, padding=0, use_bias=False, rngs=rngs)
            return Sequential(*blocks(fine), shrink)

        def up(coarse: int, fine: int) -> Sequential:
            grow = ConvTranspose(coarse, fine, 2, stride=2, use_bias=False, rngs=rngs)
            return Sequential(grow, *blocks(fine))

        self.noise_level = Told(jnp.float32(noise_level))
        self.m_head = Conv(in_nc + 1, nc[0], use_bias=False, rngs=rngs)
        self.m_down1 = down(nc[0], nc[1])
        self.m_down2 = down(nc[1], nc[2])
        self.m_down3 = down(nc[2], nc[3])
        self.m_body = Sequential(*blocks(nc[3]))
        self.m_up3 = up(nc[3], nc[2])
        self.m_up2 = up(nc[2], nc[1])
        self.m_up1 = up(nc[1], nc[0])
        self.m_tail = Conv(nc[0], out_nc, use_bias=False, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in_nc] -> [n, h, w, out_nc]; h and w are multiples of 8."""
        level = jnp.broadcast_to(self.noise_level[...].astype(x.dtype), (*x.shape[:3], 1))
        x1 = self.m_head(jnp.concatenate([x, level], -1))
        x2 = self.m_down1(x1)
        x3 = self.m_down2(x2)
        x4 = self.m_down3(x3)
        x = self.m_up3(self.m_body(x4) + x4)
        x = self.m_up2(x + x3)
        x = self.m_up1(x + x2)
        return self.m_tail(x + x1)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int | tuple[int, ...]]:
        """Constructor arguments, from the shapes of a torch state dict."""
        width, inputs = shapes["m_head.weight"][:2]
        nb = len({key.split(".")[1] for key in shapes if key.startswith("m_body.")})
        coarser = tuple(shapes[f"m_down{level}.{nb}.weight"][0] for level in (1, 2, 3))
        out_nc = shapes["m_tail.weight"][0]
        if inputs != out_nc + 1:
            raise OtherVariant(
                f"it takes {inputs} channels and returns {out_nc}; expected one more, for the noise"
            )
        return {"in_nc": out_nc, "out_nc": out_nc, "nc": (width, *coarser), "nb": nb}

    @staticmethod
    def receptive_radius(nb: int = 4, **_: object) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest.

        The way through the lowest level reaches farthest.
        """
        blocks = neighbours(2 * nb)
        down, up = [blocks, reduced(2)] * 3, [enlarged(2), blocks] * 3
        return reach([neighbours(1), *down, blocks, *up, neighbours(1)], period=8)


ENTRIES = (
    Entry(
        "DRUNet",
        DRUNet,
        tasks=("DN",),
        official_files=("drunet_color.pth",),
        published_at="github.com/cszn/KAIR",
        licence="KAIR model zoo, MIT",
        size_multiple=8,
    ),
)
