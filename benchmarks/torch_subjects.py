"""Small torch networks of all architectures that spandrel knows, with random weights."""

import importlib
from collections.abc import Mapping
from typing import Any

import torch
from torch_variants import VARIANTS

SUBJECTS: Mapping[str, tuple[str, str, dict[str, Any], int, int]] = {
    "ATD": ("ATD", "ATD", dict(embed_dim=24, depths=(2, 2), num_heads=(2, 2), category_size=64,
            num_tokens=16, upscale=2, upsampler="pixelshuffledirect"), 2, 64),
    "ATD light": ("ATD", "ATD", dict(embed_dim=24, depths=(2,), num_heads=(2,), window_size=16,
                  category_size=64, num_tokens=16, upscale=4, upsampler="pixelshuffle"), 4, 64),
    "AuraSR": ("AuraSR", "AuraSR", dict(dim=16, image_size=64, input_image_size=16,
               style_network=dict(dim_in=16, dim_out=64, depth=2), up_dim_mults=(1, 1, 2, 2, 4),
               down_dim_mults=(2, 2, 4), attn_depths=(1, 1, 1, 1, 1), mid_attn_depth=1), 4, 16),
    "CRAFT": ("CRAFT", "CRAFT", dict(embed_dim=24, depths=[2, 2], num_heads=[2, 2]), 4, 48),
    "Compact": ("Compact", "Compact", dict(num_feat=16, num_conv=4), 4, 40),
    "DAT": ("DAT", "DAT", dict(embed_dim=24, depth=[2, 2], num_heads=[2, 2], split_size=[8, 16],
            expansion_factor=2.0), 2, 64),
    "DCTLSA": ("DCTLSA", "DCTLSA", dict(nf=20, num_head=5), 4, 48),
    "DITN": ("DITN", "DITN", dict(dim=20, ITL_blocks=2, SAL_blocks=2), 4, 48),
    "DRCT": ("DRCT", "DRCT", dict(embed_dim=24, depths=(2, 2), num_heads=(2, 2), window_size=8,
             upscale=2, upsampler="pixelshuffle", gc=8), 2, 64),
    "DRUNet": ("DRUNet", "DRUNet", dict(in_nc=3, out_nc=3, nc=[8, 16, 24, 32], nb=2), 1, 48),
    "DnCNN": ("DnCNN", "DnCNN", dict(in_nc=3, out_nc=3, nc=16, nb=5), 1, 40),
    "ESRGAN": ("ESRGAN", "ESRGAN", dict(num_filters=16, num_blocks=2), 4, 40),
    "ESRGAN x2+": ("ESRGAN", "ESRGAN", dict(in_nc=12, num_filters=16, num_blocks=2, scale=4,
                   plus=True, shuffle_factor=2), 2, 40),
    "FBCNN": ("FBCNN", "FBCNN", dict(nc=[8, 16, 24, 512], nb=1), 1, 48),
    "FDAT": ("FDAT", "FDAT", dict(embed_dim=24, num_groups=2, depth_per_group=2, num_heads=2,
             mid_dim=16), 4, 48),
    "FFTformer": ("FFTformer", "FFTformer", dict(dim=16, num_blocks=[1, 1, 2],
                  num_refinement_blocks=1), 1, 64),
    "GFPGAN": ("GFPGAN", "GFPGAN", dict(out_size=512, num_style_feat=32, narrow=0.125,
               channel_multiplier=1, num_mlp=2), 1, 512),
    "GRL": ("GRL", "GRL", dict(embed_dim=24, depths=[2, 2], num_heads_window=[2, 2],
            num_heads_stripe=[2, 2], upscale=2, upsampler="pixelshuffle", mlp_ratio=2.0,
            stripe_size=[16, 16], anchor_window_down_factor=2, local_connection=True), 2, 64),
    "HAT": ("HAT", "HAT", dict(embed_dim=24, depths=(2, 2), num_heads=(2, 2), window_size=8,
            mlp_ratio=2.0, upscale=2, squeeze_factor=4, num_feat=16), 2, 64),
    "HVICIDNet": ("HVICIDNet", "HVICIDNet", dict(channels=[12, 12, 24, 48]), 1, 64),
    "IPT": ("IPT", "IPT", dict(patch_size=24, n_feats=8, num_heads=2, num_layers=2, scale=[2],
            rgb_range=1.0), 2, 48),
    "KBNet_s": ("KBNet", "KBNet_s", dict(width=16, middle_blk_num=1, enc_blk_nums=[1, 1],
                dec_blk_nums=[1, 1]), 1, 48),
    "KBNet_l": ("KBNet", "KBNet_l", dict(dim=24, num_blocks=[1, 1, 1, 1], num_refinement_blocks=1,
                heads=[1, 2, 2, 4]), 1, 64),
    "LaMa": ("LaMa", "LaMa", dict(in_nc=4, out_nc=3), 1, 64),
    "MMRealSR": ("MMRealSR", "MMRealSR", dict(num_in_ch=3, num_out_ch=3, num_feat=16, num_block=2,
                 num_grow_ch=8, num_feats=[16, 16, 32, 32], num_blocks=[1, 1, 1, 1]), 4, 48),
    "MixDehazeNet": ("MixDehazeNet", "MixDehazeNet", dict(embed_dims=[8, 16, 24, 16, 8]), 1, 64),
    "MoESR": ("MoESR", "MoESR", dict(dim=16, n_blocks=2, n_block=2, upsample_dim=16), 4, 40),
    "MoSR": ("MoSR", "MoSR", dict(n_block=3, dim=16), 4, 40),
    "MoSR dys": ("MoSR", "MoSR", dict(n_block=2, dim=16, upsampler="dys"), 4, 40),
    "NAFNet": ("NAFNet", "NAFNet", dict(width=8, middle_blk_num=1, enc_blk_nums=[1, 1],
               dec_blk_nums=[1, 1]), 1, 48),
    "OmniSR": ("OmniSR", "OmniSR", dict(num_feat=16, res_num=1, up_scale=4), 4, 48),
    "PLKSR": ("PLKSR", "PLKSR", dict(dim=16, n_blocks=2), 4, 40),
    "RealPLKSR": ("PLKSR", "RealPLKSR", dict(dim=16, n_blocks=2, dysample=True), 4, 40),
    "RCAN": ("RCAN", "RCAN", dict(n_resgroups=2, n_resblocks=2, n_feats=16, reduction=4), 4, 40),
    "RGT": ("RGT", "RGT", dict(embed_dim=24, depth=[2, 2], num_heads=[2, 2], split_size=[8, 8],
            mlp_ratio=2.0), 2, 64),
    "RealCUGAN 2x": ("RealCUGAN", "UpCunet2x", {}, 2, 64),
    "RealCUGAN 3x": ("RealCUGAN", "UpCunet3x", {}, 3, 64),
    "RealCUGAN 4x": ("RealCUGAN", "UpCunet4x", dict(pro=True), 4, 64),
    "RestoreFormer": ("RestoreFormer", "RestoreFormer", dict(n_embed=64, embed_dim=32, ch=32,
                      ch_mult=(1, 2, 2, 2), num_res_blocks=1, attn_resolutions=(16,),
                      resolution=128, z_channels=32), 1, 128),
    "RetinexFormer": ("RetinexFormer", "RetinexFormer", dict(n_feat=16, stage=1), 1, 48),
    "SAFMN": ("SAFMN", "SAFMN", dict(dim=16, n_blocks=2), 4, 48),
    "SAFMNBCIE": ("SAFMNBCIE", "SAFMNBCIE", dict(dim=16, n_blocks=2, num_layers=2), 1, 48),
    "SCUNet": ("SCUNet", "SCUNet", dict(dim=64, config=[2] * 7), 1, 64),
    "SPAN": ("SPAN", "SPAN", dict(num_in_ch=3, num_out_ch=3, feature_channels=16), 4, 40),
    "SeemoRe": ("SeemoRe", "SeemoRe", dict(num_experts=3, num_layers=2, embedding_dim=24), 4, 40),
    "SwiftSRGAN": ("SwiftSRGAN", "SwiftSRGAN", dict(num_channels=16, num_blocks=2), 4, 40),
    "Swin2SR": ("Swin2SR", "Swin2SR", dict(embed_dim=24, depths=[2, 2], num_heads=[2, 2],
                window_size=8, upscale=2, upsampler="pixelshuffledirect", mlp_ratio=2.0), 2, 64),
    "SwinIR": ("SwinIR", "SwinIR", dict(embed_dim=24, depths=[2, 2], num_heads=[2, 2],
               window_size=8, upscale=4, upsampler="nearest+conv", mlp_ratio=2.0), 4, 64),
    "SwinIR denoising": ("SwinIR", "SwinIR", dict(embed_dim=24, depths=[2, 2], num_heads=[2, 2],
                         window_size=8, upscale=1, mlp_ratio=2.0), 1, 64),
    "Uformer": ("Uformer", "Uformer", dict(img_size=128, embed_dim=8, depths=[1] * 9,
                num_heads=[1, 1, 2, 2, 2, 2, 2, 1, 1], dd_in=3), 1, 128),
}  # fmt: skip
"""Name: spandrel's module and class, constructor arguments, scale, side of the image."""


def facts(name: str) -> tuple[str, str, dict[str, Any], int, tuple[int, int, int]]:
    """A subject's or a variant's module and class, arguments, scale, and its image's [h, w, c]."""
    if name in VARIANTS:
        return VARIANTS[name]
    package, kind, arguments, scale, side = SUBJECTS[name]
    return package, kind, arguments, scale, (side, side, 4 if package == "LaMa" else 3)


def build(name: str, seed: int = 0) -> torch.nn.Module:
    """A subject with random weights, none of them zero or without effect.

    Args:
        name: one of `SUBJECTS`.
        seed: of the weights.

    Returns:
        The module in evaluation mode.
    """
    package, kind, arguments, _, _ = facts(name)
    with torch.random.fork_rng(), torch.no_grad():
        torch.manual_seed(seed)
        module = getattr(importlib.import_module(f"spandrel.architectures.{package}"), kind)(
            **arguments
        )
        for key, tensor in module.named_parameters():
            if tensor.ndim < 2 or key.endswith(("gamma", "beta", "scale")) or not tensor.any():
                tensor.add_(0.1 * torch.randn_like(tensor))
        for key, tensor in module.named_buffers():
            if key.endswith("running_mean"):
                tensor.add_(0.1 * torch.randn_like(tensor))
            elif key.endswith("running_var"):
                tensor.mul_(0.5 + torch.rand_like(tensor))
    return _IMAGES.get(package, lambda module: module)(module).eval()


class _First(torch.nn.Module):
    """The image among a module's results."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x)[0]


class _Masked(torch.nn.Module):
    """A module of an image and a mask as one of four channels."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.inner(x[:, :3], (x[:, 3:] > 0.5).to(x.dtype))


class _Largest(torch.nn.Module):
    """IPT at its largest factor: patches of its own size, put together."""

    def __init__(self, inner: torch.nn.Module) -> None:
        super().__init__()
        self.inner = inner

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        from spandrel.architectures.IPT import Model

        return Model(self.inner).forward(x, 0)


_IMAGES = {
    "FBCNN": _First, "GFPGAN": _First, "IPT": _Largest, "LaMa": _Masked, "MMRealSR": _First,
    "RestoreFormer": _First,
}  # fmt: skip
"""How modules that take or give more than one image are called."""
