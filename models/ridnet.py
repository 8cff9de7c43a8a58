"""RIDNet: Real Image Denoising with Feature Attention (Anwar and Barnes, ICCV 2019)."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx
from jaxtyping import Float

from .entry import Entry
from .layers import (
    BasicBlock,
    Conv,
    MeanShift,
    RectifiedResBlock,
    ReLU,
    Sequential,
    Sigmoid,
    from_range,
    global_mean,
    repeat,
    to_range,
)
from .value_range import FOUND_RANGE, found_range, mean_of


class MergeRunDual(nnx.Module):
    """x + the merged outputs of two branches of dilated convolutions."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        def branch(*dilations: int) -> Sequential:
            convs = (Conv(width, width, dilation=d, rngs=rngs) for d in dilations)
            return Sequential(*(layer for conv in convs for layer in (conv, ReLU())))

        self.body1 = branch(1, 2)
        self.body2 = branch(3, 4)
        self.body3 = Sequential(Conv(2 * width, width, init_scale=0.1, rngs=rngs), ReLU())

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return x + self.body3(jnp.concatenate([self.body1(x), self.body2(x)], axis=-1))


class FeatureAttention(nnx.Module):
    """x * sigmoid(conv(relu(conv(mean of x)))), with the names of its basic blocks."""

    def __init__(self, channel: int, reduction: int = 16, *, rngs: nnx.Rngs):
        hidden = channel // reduction
        self.c1 = BasicBlock(channel, hidden, 1, rngs=rngs)
        self.c2 = BasicBlock(hidden, channel, 1, activation=Sigmoid, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return x * self.c2(self.c1(global_mean(x)))


class EnhancementAttentionModule(nnx.Module):
    """Dilated branches, two residual blocks and feature attention."""

    def __init__(self, width: int, *, rngs: nnx.Rngs):
        self.r1 = MergeRunDual(width, rngs=rngs)
        self.r2 = RectifiedResBlock(width, rngs=rngs)
        self.r3 = RectifiedResBlock(width, mixing=True, rngs=rngs)
        self.ca = FeatureAttention(width, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        return self.ca(self.r3(self.r2(self.r1(x))))


class RIDNet(nnx.Module):
    """Enhancement attention modules in a row; predicts the correction of its input.

    Args:
        n_feats: channels inside.
        n_blocks: number of modules.
        value_range: largest value of the images inside, 1 or 255.
        rngs: source of the initial weights.
    """

    arguments = (FOUND_RANGE,)

    def __init__(
        self, n_feats: int = 64, n_blocks: int = 4, value_range: int = 255, *, rngs: nnx.Rngs
    ):
        self.value_range = value_range
        mean = mean_of(value_range)
        self.blocks = tuple(f"b{index + 1}" for index in range(n_blocks))
        self.sub_mean = MeanShift(-1, mean)
        self.add_mean = MeanShift(+1, mean)
        self.head = BasicBlock(3, n_feats, rngs=rngs)
        for name in self.blocks:
            setattr(self, name, EnhancementAttentionModule(n_feats, rngs=rngs))
        self.tail = Conv(n_feats, 3, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, 3] -> [n, h, w, 3]."""
        x = to_range(x, self.value_range)
        y = repeat([getattr(self, name) for name in self.blocks], self.head(self.sub_mean(x)))
        # The mean is added to the correction, not to what it was taken from: as in the checkpoints.
        return from_range(x + self.add_mean(self.tail(y)), self.value_range)

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int]:
        """Constructor arguments, from the shapes of a torch state dict."""
        n_blocks = sum(key.endswith(".r3.body.4.weight") for key in shapes)
        return {"n_feats": shapes["tail.weight"][1], "n_blocks": n_blocks}

    @staticmethod
    def found(weights: Mapping[str, np.ndarray]) -> dict[str, int]:
        """The range of values, from the mean colour."""
        return found_range(weights)

    @staticmethod
    def receptive_radius(**_: int) -> None:
        """None: the attention sees the whole image."""
        return None


ENTRIES = (
    Entry(
        "RIDNet",
        RIDNet,
        tasks=("DN",),
        official_files=("ridnet.pt",),
        published_at="github.com/saeed-anwar/RIDNet",
        licence="none stated",
        global_operations=("average pooling in channel attention",),
    ),
)
