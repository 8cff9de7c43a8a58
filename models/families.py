"""Names of architectures that the zoo does not compute, told by keys that only they have."""

from collections.abc import Iterable

_FAMILIES = (
    ("NAFNet", ("intro.weight", "middle_blks.0.beta", "encoders.0.0.beta")),
    ("M3SNet", ("intro.weight", "middle_blks.0.temperature")),
    ("KBNet", ("intro.weight", "middle_blks.0.w", "encoders.0.0.attgamma")),
    ("KBNet", ("patch_embed.proj.weight", "latent.0.ffn.qkv.weight")),
    ("FFTformer", ("patch_embed.proj.weight", "encoder_level1.0.ffn.fft")),
    ("PromptIR", ("patch_embed.proj.weight", "prompt1.prompt_param")),
    ("MambaIR", ("conv_first.weight", "layers.0.residual_group.blocks.0.self_attention.A_logs")),
    ("MambaIRv2", ("conv_first.weight", "layers.0.residual_group.layers.0.assm.out_norm.weight")),
    ("ATD", ("conv_first.weight", "layers.0.residual_group.td")),
    ("DAT", ("before_RG.1.weight", "layers.0.blocks.0.attn.dwconv.0.weight")),
    ("RGT", ("before_RG.1.weight", "layers.0.blocks.0.gamma")),
    ("DRCT", ("conv_first.weight", "layers.0.swin1.norm1.weight")),
    ("GRL", ("norm_start.weight", "layers.0.blocks.0.attn.window_attn.attn_transform.logit_scale")),
    ("Swin2SR", ("conv_first.weight", "layers.0.residual_group.blocks.0.attn.logit_scale")),
    ("SRFormer", ("layers.0.residual_group.blocks.0.attn.aligned_relative_position_index",)),
    ("Uformer", ("input_proj.proj.0.weight", "encoderlayer_0.blocks.0.norm1.weight")),
    ("OmniSR", ("residual_layer.0.residual_layer.0.layer.0.fn.0.weight",)),
    ("DITN", ("sft.weight", "UFONE.0.ITLs.0.attn.temperature")),
    ("PLKSR", ("feats.0.weight", "feats.1.refine.weight")),
    ("SAFMN-BCIE", ("to_feat.1.weight", "feats.0.layers.0.safm.mfr.0.weight")),
    ("SeemoRe", ("conv_1.weight", "body.0.local_block.norm_1.weight")),
    ("MoSR", ("gblocks.0.weight", "gblocks.1.conv.weight")),
    ("MoESR", ("in_to_dim.weight", "blocks.0.blocks.0.gamma")),
    ("FDAT", ("groups.0.blocks.0.attn.bias", "groups.0.blocks.0.inter.cg.1.weight")),
    ("RetinexFormer", ("body.0.estimator.conv1.weight", "body.0.denoiser.embedding.weight")),
    ("HVI-CIDNet", ("HVE_block0.1.weight", "trans.density_k")),
    ("MixDehazeNet", ("patch_embed.proj.weight", "layer1.blocks.0.conv3_19.weight")),
    ("FBCNN", ("m_head.weight", "qf_pred.0.res.0.weight")),
    ("Real-CUGAN", ("unet1.conv1.conv.0.weight", "unet2.conv1.conv.0.weight")),
    ("MM-RealSR", ("am_list.0.fc.0.weight", "body.0.rdb1.conv1.weight")),
    ("IPT", ("head.0.0.weight", "body.encoder.layers.0.self_attn.in_proj_weight")),
    ("MDSR", ("pre_process.0.0.body.0.weight", "upsample.0.0.weight")),
    ("RDN", ("SFENet1.weight", "RDBs.0.convs.0.conv.0.weight")),
    ("VDSR", ("input.weight", "residual_layer.0.conv.weight", "output.weight")),
    ("MIRNet", ("conv_in.weight", "body.0.body.0.dau_top.SA.spatial.conv.weight")),
    ("LaMa", ("model.1.bn_l.running_mean",)),
    ("GFPGAN", ("toRGB.0.weight", "stylegan_decoder.style_mlp.1.weight")),
    ("CodeFormer", ("position_emb", "quantize.embedding.weight")),
    ("SwiftSRGAN", ("initial.cnn.depthwise.weight",)),
)
"""A name, and keys of which it has all; the first that fits is told."""

_VARIANTS = (
    ("SwinIR", ("conv_first.weight", "layers.0.residual_group.blocks.0.attn.qkv.weight")),
    ("HAT", ("conv_first.weight", "layers.0.residual_group.overlap_attn.qkv.weight")),
    ("Restormer", ("patch_embed.proj.weight", "encoder_level1.0.attn.temperature")),
    ("RRDBNet (ESRGAN)", ("conv_first.weight", "body.0.rdb1.conv1.weight")),
    ("RRDBNet (ESRGAN)", ("conv_first.weight", "RRDB_trunk.0.RDB1.conv1.weight")),
    ("RRDBNet (ESRGAN)", ("model.0.weight", "model.1.sub.0.RDB1.conv1.0.weight")),
    ("RCAN", ("head.0.weight", "body.0.body.0.body.3.conv_du.0.weight")),
    ("EDSR", ("head.0.weight", "body.0.body.0.weight", "tail.1.weight")),
    ("DRUNet", ("m_head.weight", "m_down1.0.res.0.weight")),
    ("SCUNet", ("m_head.0.weight", "m_down1.0.conv1_1.weight")),
    ("MPRNet", ("shallow_feat1.0.weight", "stage1_encoder.encoder_level1.0.body.0.weight")),
    ("PReNet", ("conv0.0.weight", "res_conv1.0.weight")),
    ("RFDN", ("fea_conv.weight", "B1.c1_d.weight")),
    ("CRAFT", ("layers.0.residual_group.hf_blocks.0.attn.temperature",)),
    ("SPAN", ("conv_1.eval_conv.weight", "block_1.c1_r.eval_conv.weight")),
    ("SAFMN", ("to_feat.weight", "feats.0.safm.aggr.weight")),
    ("CARN", ("entry.weight", "b1.b1.body.0.weight")),
    ("IMDN", ("fea_conv.weight", "IMDB1.c1.weight")),
    ("DnCNN", ("dncnn.0.weight",)),
    ("DnCNN, FFDNet or SRMD", ("model.0.weight", "model.2.weight")),
)
"""The same for architectures that the zoo computes, of which a file is another variant."""


def family(keys: Iterable[str]) -> str:
    """What is recognised of a state dict that fits no network of the zoo, in words.

    Args:
        keys: its torch keys.

    Returns:
        A name with what it means here; empty if nothing is recognised.
    """
    have = set(keys)
    for name, wanted in _FAMILIES:
        if have.issuperset(wanted):
            return f"of {name}, which the zoo does not have"
    for name, wanted in _VARIANTS:
        if have.issuperset(wanted):
            return f"of another variant of {name}"
    return ""
