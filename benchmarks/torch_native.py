"""Torch networks as functions of JAX: do they agree with torch, are they local, are they faster.

    python benchmarks/torch_native.py [--only NAME ...] [--write docs/own-network.md]
    python benchmarks/torch_native.py --variants [--only NAME ...]
    python benchmarks/torch_native.py --speed [--side 256] [--blocks 24] [--draws 3]

The first prints a table of small networks of all architectures that spandrel knows, with random
weights: native or on the host, the largest difference from torch, and export's seconds. `--write`
puts it into a page, between the lines <!-- spandrel --> and <!-- end of spandrel -->. The second
prints the same of further configurations. `torch_local.py` asks which operations are global.

The third prints interventions a second of networks of published sizes, as a function of JAX and
with torch called on the host, in turn in one run, the second and third time, so that compiling is
not counted. Blocks are those of three of the cones' programs, from small windows to large ones, so
that calls are filled as in a map, or from all over the map where there are no cones. Restored
images are squares of SIDE pixels, regions 32 x 32, blocks 8 x 8; on the host blocks are a quarter
of a side, since it restores the whole image for every intervention, whatever the block. *cone* is
what an intervention needs of a forward's multiply-adds.
"""

import argparse
import functools
import importlib
import re
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
import rates
import torch
from torch.overrides import TorchFunctionMode
from torch_subjects import SUBJECTS, build, facts
from torch_variants import VARIANTS

import cem_jax as cem
from cem_jax.network.aten import SEED
from cem_jax.network.network import Network
from cem_jax.network.wrap import wrap

PUBLISHED: dict[str, tuple[str, str, dict[str, Any], int]] = {
    "EDSR": ("", "EDSR", {}, 4),
    "ESRGAN": ("ESRGAN", "ESRGAN", {}, 4),
    "DRUNet": ("DRUNet", "DRUNet", {"in_nc": 3, "out_nc": 3}, 1),
    "SAFMN": ("SAFMN", "SAFMN", {"dim": 36}, 4),
    "SwinIR": ("SwinIR", "SwinIR", {
        "embed_dim": 60, "depths": [6] * 4, "num_heads": [6] * 4, "window_size": 8,
        "mlp_ratio": 2.0, "upscale": 4, "upsampler": "pixelshuffledirect"}, 4),
    "NAFNet": ("NAFNet", "NAFNet", {
        "width": 32, "middle_blk_num": 12, "enc_blk_nums": [2, 2, 4, 8],
        "dec_blk_nums": [2, 2, 2, 2]}, 1),
}  # fmt: skip
"""Name: spandrel's module and class, constructor arguments, scale."""


_MARKED = re.compile(r"(?<=<!-- spandrel -->\n).*?(?=<!-- end of spandrel -->)", re.DOTALL)


_PROGRAMS = 3
"""Of cones, whose interventions are measured."""

_ON_HOST = 6
"""Interventions of one measurement on the host."""

_CLOSE = 1e-4
"""Largest difference from torch of a network that agrees with it."""


class Shown(torch.nn.Module):
    """A network with random weights, its output brought into [0, 1] as a picture's is."""

    def __init__(self, module: torch.nn.Module) -> None:
        super().__init__()
        self.module = module

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """What the network makes, through a sigmoid."""
        return torch.sigmoid(self.module(x))


class EDSR(torch.nn.Module):
    """The baseline of Lim et al., CVPRW 2017: 16 blocks of 64 channels, x4."""

    def __init__(self) -> None:
        super().__init__()

        def conv(inputs: int, outputs: int) -> torch.nn.Module:
            return torch.nn.Conv2d(inputs, outputs, 3, padding=1)

        self.head, self.last = conv(3, 64), conv(64, 64)
        self.blocks = torch.nn.ModuleList(
            torch.nn.Sequential(conv(64, 64), torch.nn.ReLU(), conv(64, 64)) for _ in range(16)
        )
        up = (conv(64, 256), torch.nn.PixelShuffle(2))
        again = (conv(64, 256), torch.nn.PixelShuffle(2))
        self.tail = torch.nn.Sequential(*up, *again, conv(64, 3))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[n, 3, h, w] -> [n, 3, 4 h, 4 w]."""
        y = x = self.head(x)
        for block in self.blocks:
            y = y + block(y)
        return self.tail(x + self.last(y))


class StableSorts(TorchFunctionMode):
    """Sorts as a function of JAX does: where torch leaves the order of equal elements open."""

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """What was asked for, stable."""
        told = kwargs or {}
        return func(*args, **({**told, "stable": True} if func is torch.sort else told))


def subject(name: str) -> tuple[str, bool]:
    """One row of the table, and whether the network is native and agrees with torch."""
    _, _, _, scale, size = facts(name)
    module = build(name)
    x = np.random.default_rng(0).random((1, *size), np.float32)
    begun = time.perf_counter()
    network = cem.wrap_torch(module, scale=scale, name=name)
    found = np.asarray(network(x))
    seconds = time.perf_counter() - begun
    if network.on_host:
        reason = network.note.partition("because ")[2].partition("; ")[0].partition(": ")[0]
        return f"| {name} | host: {reason.replace(' (', ', ')[:90]} | | |", False
    with StableSorts(), torch.random.fork_rng(devices=[]):
        torch.manual_seed(SEED)  # for those that draw noise
        wanted = module(torch.from_numpy(x.transpose(0, 3, 1, 2).copy())).detach().numpy()
    wanted = wanted.transpose(0, 2, 3, 1)
    difference = float(np.abs(found - wanted).max())
    return f"| {name} | native | {difference:.1e} | {seconds:.1f} |", difference < _CLOSE


def agreement(names: Sequence[str]) -> str:
    """The table of all subjects, printed row by row, and the count of those that agree."""
    rows = [
        "| network | evaluated | largest difference | s, export and compiling |",
        "| --- | --- | --- | --- |",
    ]
    print(*rows, sep="\n")
    right: dict[str, list[bool]] = {}
    for name in names:
        try:
            row, good = subject(name)
        except Exception as error:  # one that fails must not hide the others
            text = " ".join(str(error).split())[:90]
            row, good = f"| {name} | failed: {type(error).__name__}: {text} | | |", False
        rows.append(row)
        right.setdefault(facts(name)[0], []).append(good)
        print(row, flush=True)
        jax.clear_caches()
    count = (
        f"{sum(map(sum, right.values()))} of {len(names)} networks, all those of "
        f"{sum(map(all, right.values()))} of {len(right)} architectures, are functions of JAX "
        f"within {_CLOSE:g} of torch."
    )
    print(f"\n{count}")
    return "\n".join([*rows, "", count])


def published(name: str) -> torch.nn.Module:
    """A network of its published size with random weights."""
    package, kind, arguments, _ = PUBLISHED[name]
    with torch.random.fork_rng():
        torch.manual_seed(0)
        if not package:
            return EDSR().eval()
        module = importlib.import_module(f"spandrel.architectures.{package}")
        return getattr(module, kind)(**arguments).eval()


def on_host(network: Network, scale: int) -> Network:
    """The same module, called on the host."""
    reference = network.reference
    assert reference is not None
    return wrap(lambda params, x: reference(None, x), params=0, scale=scale, name="host")


def _ready(
    network: Network, scale: int, side: int, block: int, count: int, draws: int
) -> tuple[Callable[[], Any], float]:
    """Interventions at so many blocks, `draws` at each, ready to be made.

    Also what one needs of a forward's multiply-adds.
    """
    clean = np.tile(cem.example_image("facade"), (4, 4, 1))[:side, :side]
    scene = cem.Scene.super_resolution(clean, scale) if scale > 1 else cem.Scene.denoising(clean)
    roi = cem.ROI(side // 2 - 16, side // 2 - 16, 32, 32)
    subject = rates.Subject.make(network, scene, roi, block)
    if subject.sweep.layout.dense:
        cells = rates.spread(subject.reaching, count)
    else:
        parts = subject.of_programs(_PROGRAMS)
        cells = np.concatenate([rates.spread(one, count / len(parts)) for one in parts])
    return functools.partial(subject.run, cells, draws), subject.exact[cells].mean() / subject.whole


def speed(names: list[str], side: int, blocks: int, draws: int) -> None:
    """The table of published sizes."""
    titles = ("network", "restored", "cone", "native", "host", "native / host")
    print(f"| {' | '.join(titles)} |", "| --- " * len(titles) + "|", sep="\n")
    for name in names:
        scale = PUBLISHED[name][3]
        network = cem.wrap_torch(Shown(published(name)), scale=scale, name=name)
        native, share = _ready(network, scale, side, 8, blocks, draws)
        host, _ = _ready(on_host(network, scale), scale, side, side // 4, _ON_HOST, 1)
        calls = {"native": native, "host": host}
        rates.interleaved(calls, 1)  # compiles
        least = rates.interleaved(calls, 2)
        rate, other = blocks * draws / least["native"], _ON_HOST / least["host"]
        times = f"{rate:.2f}/s | {other:.2f}/s | {rate / other:.1f}"
        print(f"| {name} | {side} x {side} | {share:.3f} | {times} |", flush=True)
        jax.clear_caches()


def main() -> None:
    """Prints one of the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="*", default=None)
    parser.add_argument("--speed", action="store_true")
    parser.add_argument("--side", type=int, default=256, help="pixels of a restored image's side")
    parser.add_argument("--blocks", type=int, default=24)
    parser.add_argument("--variants", action="store_true")
    parser.add_argument("--draws", type=int, default=3)
    parser.add_argument("--write", type=Path, default=None)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    versions = f"torch {torch.__version__}, jax {jax.__version__}"
    print(versions)
    if args.speed:
        speed(args.only or list(PUBLISHED), args.side, args.blocks, args.draws)
    else:
        table = agreement(args.only or list(VARIANTS if args.variants else SUBJECTS))
        if args.write is not None:
            page = args.write.read_text()
            args.write.write_text(_MARKED.sub(lambda _: f"\n{versions}\n\n{table}\n\n", page))


if __name__ == "__main__":
    main()
