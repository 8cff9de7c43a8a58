"""Networks in plain torch, as functions of their state dicts: what a dense sweep would run.

`forward(name, state_dict)` gives a function from NCHW to NCHW. It computes what the network of that
name computes, in inference mode, with torch's own convolutions and attention.
"""

import functools
from collections.abc import Callable, Mapping

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

Weights = Mapping[str, Tensor]


def conv(w: Weights, key: str, x: Tensor, stride: int = 1, padding: int | None = None) -> Tensor:
    """The convolution of that key; zeros around the image keep its size."""
    kernel = w[f"{key}.weight"]
    padding = kernel.shape[-1] // 2 if padding is None else padding
    return F.conv2d(x, kernel, w.get(f"{key}.bias"), stride, padding)


def linear(w: Weights, key: str, x: Tensor) -> Tensor:
    """The matrix product of that key."""
    return F.linear(x, w[f"{key}.weight"], w[f"{key}.bias"])


def upsample(w: Weights, key: str, x: Tensor) -> Tensor:
    """Twice a convolution and a pixel shuffle by 2."""
    for layer in (0, 2):
        x = F.pixel_shuffle(conv(w, f"{key}.{layer}", x), 2)
    return x


def dncnn(w: Weights, x: Tensor) -> Tensor:
    """DnCNN (Zhang et al., IEEE TIP 2017)."""
    y, layer = x, 0
    while f"model.{layer}.weight" in w:
        y = conv(w, f"model.{layer}", F.relu_(y) if layer else y)
        layer += 2
    return x - y


def edsr(w: Weights, x: Tensor) -> Tensor:
    """EDSR (Lim et al., CVPRW 2017)."""
    y = x = conv(w, "head.0", conv(w, "sub_mean", x))
    block = 0
    while f"body.{block}.body.0.weight" in w:
        y = y + conv(w, f"body.{block}.body.2", F.relu_(conv(w, f"body.{block}.body.0", y)))
        block += 1
    y = x + conv(w, f"body.{block}", y)
    return conv(w, "add_mean", conv(w, "tail.1", upsample(w, "tail.0", y)))


def channel_attention(w: Weights, key: str, x: Tensor, statistic: Tensor) -> Tensor:
    """Channels weighted by two small convolutions of a statistic [n, c, 1, 1]."""
    weight = conv(w, f"{key}.conv_du.2", F.relu_(conv(w, f"{key}.conv_du.0", statistic)))
    return x * torch.sigmoid(weight)


def rcan(w: Weights, x: Tensor) -> Tensor:
    """RCAN (Zhang et al., ECCV 2018), with the original code's names."""
    y = x = conv(w, "head.0", conv(w, "sub_mean", x * 255))
    group = 0
    while f"body.{group}.body.0.body.0.weight" in w:
        z, block = y, 0
        while f"body.{group}.body.{block}.body.0.weight" in w:
            key = f"body.{group}.body.{block}.body"
            change = conv(w, f"{key}.2", F.relu_(conv(w, f"{key}.0", z)))
            z = z + channel_attention(w, f"{key}.3", change, change.mean((2, 3), keepdim=True))
            block += 1
        y = y + conv(w, f"body.{group}.body.{block}", z)
        group += 1
    y = upsample(w, "tail.0", x + conv(w, f"body.{group}", y))
    return conv(w, "add_mean", conv(w, "tail.1", y)) / 255


def swinir(w: Weights, x: Tensor) -> Tensor:
    """SwinIR for super-resolution (Liang et al., ICCVW 2021), on images of its masks' size."""
    mean = x.new_tensor((0.4488, 0.4371, 0.4040)).reshape(1, 3, 1, 1)
    x = conv(w, "conv_first", x - mean)
    y = layer_norm(w, "patch_embed.norm", x.permute(0, 2, 3, 1))
    layer = 0
    while f"layers.{layer}.conv.weight" in w:
        z, block = y, 0
        while f"layers.{layer}.residual_group.blocks.{block}.norm1.weight" in w:
            z = swin_block(w, f"layers.{layer}.residual_group.blocks.{block}", z)
            block += 1
        change = conv(w, f"layers.{layer}.conv", z.permute(0, 3, 1, 2))
        y = y + change.permute(0, 2, 3, 1)
        layer += 1
    y = layer_norm(w, "norm", y).permute(0, 3, 1, 2)
    y = F.leaky_relu_(conv(w, "conv_before_upsample.0", x + conv(w, "conv_after_body", y)))
    return conv(w, "conv_last", upsample(w, "upsample", y)) + mean


def layer_norm(w: Weights, key: str, x: Tensor) -> Tensor:
    """Normalisation over the last axis."""
    return F.layer_norm(x, x.shape[-1:], w[f"{key}.weight"], w[f"{key}.bias"])


def swin_block(w: Weights, key: str, x: Tensor) -> Tensor:
    """Window attention, shifted where there is a mask, and a feed-forward part; NHWC."""
    n, h, width, c = x.shape
    table, index = (w[f"{key}.attn.relative_position_{part}"] for part in ("bias_table", "index"))
    heads, area = table.shape[1], len(index)
    size, mask = round(area**0.5), w.get(f"{key}.attn_mask")
    shift = 0 if mask is None else size // 2
    y = layer_norm(w, f"{key}.norm1", x).roll((-shift, -shift), (1, 2))
    y = y.reshape(n, h // size, size, width // size, size, c).transpose(2, 3)
    qkv = linear(w, f"{key}.attn.qkv", y.reshape(-1, area, c))
    q, k, v = qkv.reshape(-1, area, 3, heads, c // heads).permute(2, 0, 3, 1, 4)
    bias = table[index.reshape(-1)].reshape(area, area, heads).permute(2, 0, 1)[None]
    if mask is not None:
        bias = (bias + mask[:, None]).repeat(n, 1, 1, 1)
    y = F.scaled_dot_product_attention(q, k, v, bias.expand(len(q), -1, -1, -1))
    y = linear(w, f"{key}.attn.proj", y.transpose(1, 2).reshape(-1, area, c))
    y = y.reshape(n, h // size, width // size, size, size, c).transpose(2, 3)
    x = x + y.reshape(n, h, width, c).roll((shift, shift), (1, 2))
    y = F.gelu(linear(w, f"{key}.mlp.fc1", layer_norm(w, f"{key}.norm2", x)))
    return x + linear(w, f"{key}.mlp.fc2", y)


def distilled(
    w: Weights, x: Tensor, name: str, block: Callable[[Weights, str, Tensor], Tensor]
) -> Tensor:
    """The frame of RFDN and IMDN: all blocks' outputs gathered, then one pixel shuffle by 4."""
    y = x = conv(w, "fea_conv", x)
    outputs: list[Tensor] = []
    while f"{name}{len(outputs) + 1}.c5.weight" in w:
        y = block(w, f"{name}{len(outputs) + 1}", y)
        outputs.append(y)
    y = F.leaky_relu_(conv(w, "c.0", torch.cat(outputs, 1)), 0.05)
    return F.pixel_shuffle(conv(w, "upsampler.0", x + conv(w, "LR_conv", y)), 4)


def rfdn_block(w: Weights, key: str, x: Tensor) -> Tensor:
    """Three residual convolutions whose distilled maps are gathered, then spatial attention."""
    kept = []
    for step in (1, 2, 3):
        kept.append(F.leaky_relu_(conv(w, f"{key}.c{step}_d", x), 0.05))
        x = F.leaky_relu_(x + conv(w, f"{key}.c{step}_r", x), 0.05)
    kept.append(F.leaky_relu_(conv(w, f"{key}.c4", x), 0.05))
    x = conv(w, f"{key}.c5", torch.cat(kept, 1))
    narrow = conv(w, f"{key}.esa.conv1", x)
    y = F.max_pool2d(conv(w, f"{key}.esa.conv2", narrow, stride=2, padding=0), 7, 3)
    y = F.relu_(conv(w, f"{key}.esa.conv3", F.relu_(conv(w, f"{key}.esa.conv_max", y))))
    y = F.interpolate(conv(w, f"{key}.esa.conv3_", y), x.shape[2:], mode="bilinear")
    return x * torch.sigmoid(conv(w, f"{key}.esa.conv4", y + conv(w, f"{key}.esa.conv_f", narrow)))


def rfdn(w: Weights, x: Tensor) -> Tensor:
    """RFDN (Liu et al., ECCVW 2020)."""
    return distilled(w, x * 255, "B", rfdn_block) / 255


def imdn_block(w: Weights, key: str, x: Tensor) -> Tensor:
    """Four convolutions whose distilled channels are gathered, then channel attention."""
    kept, y = [], x
    for step in (1, 2, 3):
        y = F.leaky_relu_(conv(w, f"{key}.c{step}", y), 0.05)
        some, y = y.split((x.shape[1] // 4, x.shape[1] - x.shape[1] // 4), 1)
        kept.append(some)
    y = torch.cat([*kept, conv(w, f"{key}.c4", y)], 1)
    deviation, mean = torch.std_mean(y, (2, 3), correction=0, keepdim=True)
    return x + conv(w, f"{key}.c5", channel_attention(w, f"{key}.cca", y, deviation + mean))


def imdn(w: Weights, x: Tensor) -> Tensor:
    """IMDN (Hui et al., ACM MM 2019)."""
    return distilled(w, x, "IMDB", imdn_block)


def pan(w: Weights, x: Tensor) -> Tensor:
    """PAN (Zhao et al., ECCVW 2020)."""
    activate = functools.partial(F.leaky_relu_, negative_slope=0.2)
    first = y = conv(w, "conv_first", x)
    block = 0
    while f"SCPA_trunk.{block}.conv3.weight" in w:
        key = f"SCPA_trunk.{block}"
        a = activate(conv(w, f"{key}.k1.0", activate(conv(w, f"{key}.conv1_a", y))))
        b = activate(conv(w, f"{key}.conv1_b", y))
        weight = torch.sigmoid(conv(w, f"{key}.PAConv.k2", b))
        b = activate(conv(w, f"{key}.PAConv.k4", conv(w, f"{key}.PAConv.k3", b) * weight))
        y = y + conv(w, f"{key}.conv3", torch.cat([a, b], 1))
        block += 1
    y = first + conv(w, "trunk_conv", y)
    for step in (1, 2):
        y = conv(w, f"upconv{step}", F.interpolate(y, scale_factor=2, mode="nearest"))
        y = activate(y * torch.sigmoid(conv(w, f"att{step}.conv", y)))
        y = activate(conv(w, f"HRconv{step}", y))
    return conv(w, "conv_last", y) + F.interpolate(x, scale_factor=4, mode="bilinear")


FORWARDS: dict[str, Callable[[Weights, Tensor], Tensor]] = {
    "DnCNN": dncnn,
    "EDSR": edsr,
    "RCAN": rcan,
    "SwinIR": swinir,
    "RFDN": rfdn,
    "IMDN": imdn,
    "PAN": pan,
}


def forward(
    name: str,
    state_dict: Mapping[str, np.ndarray],
    memory_format: torch.memory_format = torch.channels_last,
    device: str = "cpu",
) -> Callable[[Tensor], Tensor]:
    """A network of `FORWARDS` as a function of images [n, c, h, w].

    Args:
        name: of the network, or of its compact form.
        state_dict: its weights, in torch's layout under torch's keys.
        memory_format: how weights and images lie in memory.
        device: where the weights are put; images have to be there too.
    """
    tensors = {key: torch.from_numpy(np.array(v)).to(device) for key, v in state_dict.items()}
    w = {
        key: value.contiguous(memory_format=memory_format) if value.ndim == 4 else value
        for key, value in tensors.items()
    }
    run = torch.inference_mode()(FORWARDS[name.removesuffix("-compact")])
    return lambda x: run(w, x.contiguous(memory_format=memory_format))
