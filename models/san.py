"""SAN: Second-order Attention Network for Single Image Super-Resolution (Dai et al., CVPR 2019)."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float

from .entry import Entry, OtherVariant
from .layers import (
    CALayer,
    Chain,
    Conv,
    MeanShift,
    ReLU,
    Sequential,
    Upsampler,
    from_range,
    max_pool,
    non_local,
    repeat,
    to_range,
)
from .value_range import RANGE

_LARGEST = 1000
"""Longest side of the map whose covariance is taken; of longer ones the middle part is."""


def _square_root(matrix: jax.Array, iterations: int = 5) -> jax.Array:
    """Square roots of [n, c, c] covariances, by Newton-Schulz steps on the matrix over its trace.

    The number of steps is part of the network: it was trained with this approximation.
    """
    trace = jnp.trace(matrix, axis1=1, axis2=2).reshape(-1, 1, 1)
    three = 3.0 * jnp.eye(matrix.shape[-1], dtype=matrix.dtype)[None]
    root = matrix / trace
    step = 0.5 * (three - root)
    root, inverse = root @ step, step
    for _ in range(iterations - 2):
        step = 0.5 * (three - inverse @ root)
        root, inverse = root @ step, step @ inverse
    root = 0.5 * (root @ (three - inverse @ root))
    return root * jnp.sqrt(trace)


def _covariance_statistic(x: jax.Array) -> jax.Array:
    """Row means of the square root of the channels' covariance: [n, h, w, c] -> [n, 1, 1, c]."""
    for axis in (1, 2):
        size = x.shape[axis]
        if size > _LARGEST:
            start = (size - _LARGEST) // 2
            x = jax.lax.slice_in_dim(x, start, start + _LARGEST, axis=axis)
    centred = x - jnp.mean(x, axis=(1, 2), keepdims=True)
    covariance = jnp.einsum("nhwc,nhwd->ncd", centred, centred) / (x.shape[1] * x.shape[2])
    return jnp.mean(_square_root(covariance), axis=1)[:, None, None, :]


def _second_order_attention(width: int, reduction: int, rngs: nnx.Rngs) -> CALayer:
    return CALayer(width, reduction, statistic=_covariance_statistic, rngs=rngs)


class MaxPool(nnx.Module):
    """Maximum over 2 x 2 pixels."""

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return max_pool(x, 2, 2)


class NonLocal(nnx.Module):
    """x + attention from every pixel to the max-pooled pixels."""

    def __init__(self, width: int, hidden: int, *, rngs: nnx.Rngs):
        self.g = Sequential(Conv(width, hidden, 1, rngs=rngs), MaxPool())
        self.W = Conv(hidden, width, 1, init_scale=0.1, rngs=rngs)
        self.theta = Conv(width, hidden, 1, rngs=rngs)
        self.phi = Sequential(Conv(width, hidden, 1, rngs=rngs), MaxPool())

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return x + self.W(non_local(self.theta(x), self.phi(x), self.g(x)))


class RegionNonLocal(nnx.Module):
    """Non-local attention inside each quarter of the image; `soca` is stored but not used."""

    def __init__(self, width: int, hidden: int, *, rngs: nnx.Rngs):
        self.soca = _second_order_attention(width, 8, rngs)
        self.non_local = NonLocal(width, hidden, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        rows = []
        for half in jnp.split(x, [x.shape[1] // 2], axis=1):
            quarters = jnp.split(half, [x.shape[2] // 2], axis=2)
            rows.append(jnp.concatenate([self.non_local(q) for q in quarters], axis=2))
        return jnp.concatenate(rows, axis=1)


class ResBlock(nnx.Module):
    """x + conv(relu(conv(x))), under this network's name for it."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.conv_first = Sequential(
            Conv(width, width, rngs=rngs), ReLU(), Conv(width, width, init_scale=0.1, rngs=rngs)
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return x + self.conv_first(x)


class ResidualGroup(nnx.Module):
    """x + blocks with second-order attention behind them; `gamma` is stored but not used."""

    def __init__(self, width: int, depth: int, reduction: int, *, rngs: nnx.Rngs):
        self.rcab = Chain(*(ResBlock(width, rngs=rngs) for _ in range(depth)))
        self.soca = _second_order_attention(width, reduction, rngs)
        self.conv_last = Conv(width, width, init_scale=0.1, rngs=rngs)
        self.gamma = nnx.Param(jnp.zeros(1))

    def __call__(self, x: jax.Array, shortcut: jax.Array) -> jax.Array:
        return x + self.conv_last(self.soca(self.rcab(x))) + shortcut


class SAN(nnx.Module):
    """Residual groups with a shared shortcut between two passes of one non-local attention.

    The last convolution of the body, `conv_last`, is stored but not used.

    Args:
        num_channels: channels of the image.
        factor: upscaling factor, 3 or a power of 2.
        n_feats: channels inside.
        n_resgroups: number of residual groups.
        n_resblocks: number of blocks in a group.
        reduction: ratio of channels to hidden channels in the groups' attention.
        value_range: largest value of the images inside, 1 or 255.
        rngs: source of the initial weights.
    """

    arguments = (RANGE,)

    def __init__(
        self,
        num_channels: int = 3,
        factor: int = 4,
        n_feats: int = 64,
        n_resgroups: int = 20,
        n_resblocks: int = 10,
        reduction: int = 16,
        value_range: int = 255,
        *,
        rngs: nnx.Rngs,
    ):
        self.value_range = value_range
        self.sub_mean = MeanShift(-1)
        self.add_mean = MeanShift(+1)
        self.gamma = nnx.Param(jnp.zeros(1))
        groups = (
            ResidualGroup(n_feats, n_resblocks, reduction, rngs=rngs) for _ in range(n_resgroups)
        )
        self.RG = nnx.List(groups)
        self.conv_last = Conv(n_feats, n_feats, rngs=rngs)
        self.non_local = RegionNonLocal(n_feats, n_feats // 8, rngs=rngs)
        self.head = Sequential(Conv(num_channels, n_feats, rngs=rngs))
        self.tail = Sequential(
            Upsampler(factor, n_feats, rngs=rngs),
            Conv(n_feats, num_channels, init_scale=0.1, rngs=rngs),
        )

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, num_channels] -> [n, h * factor, w * factor, num_channels]."""
        x = self.head(self.sub_mean(to_range(x, self.value_range)))
        y = self.non_local(x)
        shortcut = self.gamma[...].reshape(1, 1, 1, 1) * y
        y = self.non_local(repeat(self.RG, y, shortcut))
        return from_range(self.add_mean(self.tail(x + y)), self.value_range)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        if "RG.0.conv_last.weight" in shapes and "RG.0.gamma" not in shapes:
            raise OtherVariant(
                "the first form of its authors' code, with a quarter of the channels in the "
                "non-local attention, covariances of 200 x 200 pixels and another long skip"
            )
        n_feats, num_channels = shapes["head.0.weight"][:2]
        groups = {key.split(".")[1] for key in shapes if key.startswith("RG.")}
        blocks = {key.split(".")[3] for key in shapes if key.startswith("RG.0.rcab.")}
        return {
            "num_channels": num_channels,
            "factor": Upsampler.factor(shapes, "tail.0."),
            "n_feats": n_feats,
            "n_resgroups": len(groups),
            "n_resblocks": len(blocks),
            "reduction": n_feats // shapes["RG.0.soca.conv_du.0.weight"][0],
        }

    @staticmethod
    def receptive_radius(**_: int) -> None:
        """None: both attentions see the whole image."""
        return None


ENTRIES = (
    Entry(
        "SAN",
        SAN,
        tasks=("SR",),
        scale=4,
        official_files=("SAN_BI4X.pt",),
        published_at="github.com/daitao/SAN",
        licence="none stated",
        size_minimum=4,
        global_operations=(
            "covariance pooling in channel attention",
            "softmax attention inside each quarter of the image",
        ),
    ),
)
