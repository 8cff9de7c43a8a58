"""SwinIR: Image Restoration Using Swin Transformer (Liang et al., ICCVW 2021)."""

import math
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
    RSTB,
    Chain,
    Conv,
    LayerNorm,
    LeakyReLU,
    PatchEmbed,
    Sequential,
    Stage,
    Upsampler,
    closing,
    depths_of,
    enlarged,
    from_range,
    neighbours,
    pixel_shuffle,
    reach,
    relative_position_index,
    shift_mask,
    to_range,
    upsample_nearest,
    windows,
)

_JPEG_WINDOW = 7
"""Side of the windows of the networks for JPEG, whose blocks of 8 pixels no grid should repeat."""


class SwinIR(nnx.Module):
    """Groups of Swin blocks between convolutions, and one of four ways back to an image.

    Sides that the window does not divide are padded by reflection at the bottom and the right.

    Args:
        img_size: side of the images for which a checkpoint carries shift masks; the computation
            does not depend on it.
        in_chans: channels of the image.
        embed_dim: channels inside.
        depths: number of blocks in every group.
        num_heads: attention heads in every group.
        window_size: side of a window.
        mlp_ratio: hidden channels of the feed-forward parts, relative to `embed_dim`.
        upscale: upscaling factor, 3 or a power of 2.
        upsampler: "pixelshuffle"; "pixelshuffledirect", without channels between body and image;
            "nearest+conv", for factors 2 and 4; "" predicts the correction of an image of equal
            size.
        tail_width: channels between body and image; "" has as many as the body.
        resi_connection: "1conv" or "3conv", what closes the skips over groups and body.
        value_range: largest value of the images inside, 1 or 255.
        rngs: source of the initial weights.
    """

    arguments = (
        Argument(
            "range",
            "value_range",
            "largest value of the images that the network was trained on; where it is not given, "
            "255 for windows of 7 pixels, which only the published networks for JPEG have",
            choices=(1, 255),
        ),
    )

    def __init__(
        self,
        img_size: int = 64,
        in_chans: int = 3,
        embed_dim: int = 180,
        depths: tuple[int, ...] = (6, 6, 6, 6, 6, 6),
        num_heads: tuple[int, ...] = (6, 6, 6, 6, 6, 6),
        window_size: int = 8,
        mlp_ratio: float = 2.0,
        upscale: int = 4,
        upsampler: str = "pixelshuffle",
        tail_width: int = 64,
        resi_connection: str = "1conv",
        value_range: int = 1,
        *,
        rngs: nnx.Rngs,
    ):
        self.window_size = window_size
        self.upscale = upscale
        self.upsampler = upsampler
        self.value_range = value_range
        self.mean = DIV2K_MEAN if in_chans == 3 else (0.0,) * in_chans
        self.conv_first = Conv(in_chans, embed_dim, rngs=rngs)
        self.patch_embed = PatchEmbed(embed_dim)
        self.layers = Chain(
            *(
                RSTB(embed_dim, depth, heads, window_size, mlp_ratio, resi_connection, rngs=rngs)
                for depth, heads in zip(depths, num_heads, strict=True)
            )
        )
        self.norm = LayerNorm(embed_dim)
        self.conv_after_body = closing(embed_dim, resi_connection, rngs)
        if upsampler == "pixelshuffledirect":
            self.upsample = Sequential(Conv(embed_dim, in_chans * upscale**2, rngs=rngs))
            return
        width = tail_width if upsampler else embed_dim
        if upsampler:
            self.conv_before_upsample = Sequential(Conv(embed_dim, width, rngs=rngs), LeakyReLU())
        if upsampler == "pixelshuffle":
            self.upsample = Upsampler(upscale, width, rngs=rngs)
        elif upsampler == "nearest+conv":
            self.conv_up1 = Conv(width, width, rngs=rngs)
            if upscale == 4:
                self.conv_up2 = Conv(width, width, rngs=rngs)
            self.conv_hr = Conv(width, width, rngs=rngs)
        self.conv_last = Conv(width, in_chans, init_scale=0.1, rngs=rngs)

    def __call__(self, x: Float[jax.Array, "n h w c"]) -> Float[jax.Array, "n H W C"]:
        """[n, h, w, in_chans] -> [n, h * upscale, w * upscale, in_chans]."""
        _, h, w, _ = x.shape
        padding = [(0, -side % self.window_size) for side in (h, w)]
        mean = jnp.asarray(self.mean, x.dtype).reshape(1, 1, 1, -1)
        x = jnp.pad(x, ((0, 0), *padding, (0, 0)), mode="reflect") - mean
        x = to_range(x, self.value_range)
        first = self.conv_first(x)
        features = self.norm(self.layers(self.patch_embed(first)))
        y = self._to_image(x, first + self.conv_after_body(features))
        y = from_range(y, self.value_range) + mean
        return y[:, : h * self.upscale, : w * self.upscale]

    def _to_image(
        self, x: Float[jax.Array, "n h w c"], features: Float[jax.Array, "n h w C"]
    ) -> Float[jax.Array, "n H W c"]:
        """The image without its mean, from the input image without its mean and the features."""
        if self.upsampler == "":
            return x + self.conv_last(features)
        if self.upsampler == "pixelshuffledirect":
            return pixel_shuffle(self.upsample(features), self.upscale)
        y = self.conv_before_upsample(features)
        if self.upsampler == "pixelshuffle":
            return self.conv_last(self.upsample(y))
        enlarging = [self.conv_up1, self.conv_up2] if self.upscale == 4 else [self.conv_up1]
        for conv in enlarging:
            y = jax.nn.leaky_relu(conv(upsample_nearest(y, 2)), 0.2)
        return self.conv_last(jax.nn.leaky_relu(self.conv_hr(y), 0.2))

    @staticmethod
    def config(shapes: dict[str, tuple[int, ...]]) -> dict[str, int | float | str | tuple]:
        """Constructor arguments, from the shapes of a torch state dict."""
        if "absolute_pos_embed" in shapes:
            raise OtherVariant("it adds a position to every pixel of a fixed size (ape)")
        if "conv_first.1.weight" in shapes:
            raise OtherVariant("it moves pixels into channels before the first convolution")
        embed_dim, in_chans = shapes["conv_first.weight"][:2]
        depths = depths_of(shapes)
        first = "layers.0.residual_group.blocks.0"
        tables = [
            shapes[f"layers.{i}.residual_group.blocks.0.attn.relative_position_bias_table"]
            for i in range(len(depths))
        ]
        window_size = (math.isqrt(tables[0][0]) + 1) // 2
        arguments = {
            "in_chans": in_chans,
            "embed_dim": embed_dim,
            "depths": depths,
            "num_heads": tuple(heads for _, heads in tables),
            "window_size": window_size,
            "mlp_ratio": shapes[f"{first}.mlp.fc1.weight"][0] / embed_dim,
            "resi_connection": "3conv" if "conv_after_body.0.weight" in shapes else "1conv",
            "value_range": 255 if window_size == _JPEG_WINDOW else 1,
        }
        masks = [shape for key, shape in shapes.items() if key.endswith(".attn_mask")]
        if masks:
            arguments["img_size"] = math.isqrt(masks[0][0]) * window_size
        elif any(side % window_size for side in (48, 64, 128)):
            arguments["img_size"] = 18 * window_size  # 126 for windows of 7, as published
        if "conv_up1.weight" in shapes:
            tail = {"upsampler": "nearest+conv", "upscale": 4 if "conv_up2.weight" in shapes else 2}
        elif "conv_before_upsample.0.weight" in shapes:
            tail = {"upsampler": "pixelshuffle", "upscale": Upsampler.factor(shapes, "upsample.")}
        elif "upsample.0.weight" in shapes:
            upscale = math.isqrt(shapes["upsample.0.weight"][0] // in_chans)
            tail = {"upsampler": "pixelshuffledirect", "upscale": upscale}
        else:
            tail = {"upsampler": "", "upscale": 1}
        if "conv_before_upsample.0.weight" in shapes:
            tail["tail_width"] = shapes["conv_before_upsample.0.weight"][0]
        return {**arguments, **tail}

    @staticmethod
    def tables(
        img_size: int = 64,
        depths: tuple[int, ...] = (6, 6, 6, 6, 6, 6),
        window_size: int = 8,
        **_: int | float | str | tuple,
    ) -> dict[str, np.ndarray]:
        """The entries of a torch state dict that follow from the arguments, by torch key."""
        index = relative_position_index(window_size)
        mask = shift_mask(img_size, img_size, window_size, window_size // 2)
        found = {}
        for layer, depth in enumerate(depths):
            for block in range(depth):
                prefix = f"layers.{layer}.residual_group.blocks.{block}"
                found[f"{prefix}.attn.relative_position_index"] = index
                if block % 2:
                    found[f"{prefix}.attn_mask"] = mask
        return found

    @staticmethod
    def period(window_size: int = 8, **_: int | float | str | tuple) -> int:
        """Period of the network's grid in input pixels."""
        return window_size

    @staticmethod
    def receptive_radius(
        depths: tuple[int, ...] = (6, 6, 6, 6, 6, 6),
        window_size: int = 8,
        upscale: int = 4,
        upsampler: str = "pixelshuffle",
        resi_connection: str = "1conv",
        **_: int | float | str | tuple,
    ) -> int:
        """Input pixels that reach an output pixel, counted from its own to the farthest.

        The windows' grid starts at the top left corner, so pixels differ in how far they see; this
        is the farthest that any pixel sees.
        """
        conv = neighbours(1)
        closing = neighbours(2) if resi_connection == "3conv" else conv
        stages: list[Stage] = [conv]
        for depth in depths:
            shifts = [0 if i % 2 == 0 else window_size // 2 for i in range(depth)]
            stages += [*(windows(window_size, shift) for shift in shifts), closing]
        stages.append(closing)  # behind the body
        if upsampler == "pixelshuffledirect":
            return reach([*stages, conv, enlarged(upscale)], window_size, upscale)
        if upsampler:
            stages.append(conv)
        if upsampler == "pixelshuffle":
            factors = [3] if upscale == 3 else [2] * int(math.log2(upscale))
            stages += [stage for factor in factors for stage in (conv, enlarged(factor))]
        elif upsampler == "nearest+conv":
            stages += [enlarged(2), conv] * int(math.log2(upscale)) + [conv]
        stages.append(conv)
        return reach(stages, window_size, upscale)


_SWINIR: dict[str, Any] = {
    "published_at": "github.com/JingyunLiang/SwinIR",
    "licence": "Apache-2.0",
}
_CEM: dict[str, Any] = {"published_at": "github.com/J-FHu/CEM", "licence": "none stated"}
_SAME_SIZE: dict[str, Any] = {"upscale": 1, "upsampler": "pixelshuffle"}

ENTRIES = (
    Entry(
        "SwinIR",
        SwinIR,
        tasks=("SR",),
        scale=4,
        official_files=("001_classicalSR_DF2K_s64w8_SwinIR-M_x4.pth",),
        anchor=8,
        **_SWINIR,
    ),
    Entry(
        "SwinIR-for-HAT",
        SwinIR,
        {"img_size": 48},
        tasks=("SR",),
        scale=4,
        official_files=("SwinIR_SRx4_official.pth",),
        size_multiple=8,
        **_CEM,
    ),
    Entry(
        "SwinIR-Real-PSNR",
        SwinIR,
        {"upsampler": "nearest+conv"},
        tasks=("SR",),
        scale=4,
        official_files=("003_realSR_BSRGAN_DFO_s64w8_SwinIR-M_x4_PSNR.pth",),
        anchor=8,
        **_SWINIR,
    ),
    Entry(
        "SwinIR_DN",
        SwinIR,
        {"img_size": 128, "upscale": 1, "upsampler": ""},
        tasks=("DN",),
        official_files=("005_colorDN_DFWB_s128w8_SwinIR-M_noise50.pth",),
        anchor=8,
        **_SWINIR,
    ),
    Entry(
        "SwinIR_DR",
        SwinIR,
        _SAME_SIZE,
        tasks=("DR",),
        official_files=("SwinIR_DR.pth",),
        size_multiple=8,
        **_CEM,
    ),
    Entry(
        "SwinIR_mix",
        SwinIR,
        _SAME_SIZE,
        tasks=("DN", "DR"),
        official_files=("mix_SwinIR.pth",),
        size_multiple=8,
        **_CEM,
    ),
    Entry(
        "SwinIR_MIO",
        SwinIR,
        {**_SAME_SIZE, "img_size": 128},
        tasks=("DN", "DR"),
        official_files=("SwinIR_M.pth",),
        size_multiple=8,
        **_CEM,
    ),
)
