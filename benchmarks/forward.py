"""Multiply-adds per second of every network's forward, as a share of this machine's peak.

    python benchmarks/forward.py [--only NAME...] [--size 64] [--seconds 4] [--json FILE]

The peak is a 2048 x 2048 float32 matrix product on every device at once, measured in turn with the
forwards. Batch 1 runs on one device, as `network(x)` does; its convolutions share one image among
all cores. Batch 8 is spread over all devices (one for each core), as a sweep does. Both are
compiled with the options of `network(x)` and of sweeps. Multiply-adds are those of the convolutions
and matrix products in the jaxpr, counted in the plain form that other backends get; zeros between
the pixels of a transposed convolution do not count.
Memory is XLA's own figure for one device: arguments, results and temporaries. The deviation of
bfloat16 is relative L2 against float32, parameters and image both rounded. Weights are the bundled
ones, or else random.

Every network has a process of its own. With `--json`, rows are kept in FILE as they come, one JSON
object a line, and networks that it already holds are not measured again. Networks that are one
architecture with the same arguments share a row.
"""

import argparse
import functools
import json
import math
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from subjects import random_weights

import cem_jax as cem
from cem_jax.network.compiler_options import CONVOLUTIONS, known

_BATCHES = (1, 8)
_SIDE = 2048
"""Of the matrices whose product is the peak."""
_TURN = 0.3
"""Seconds of forwards between two of these products."""


def multiply_adds(jaxpr: Any) -> float:
    """Of the convolutions and matrix products of a jaxpr, with loops unrolled."""
    total = 0.0
    for eqn in jaxpr.eqns:
        name, p, shapes = eqn.primitive.name, eqn.params, [v.aval.shape for v in eqn.invars]
        out = math.prod(eqn.outvars[0].aval.shape)
        if name == "conv_general_dilated":
            taps = math.prod(shapes[1][axis] for axis in p["dimension_numbers"].rhs_spec[1:])
            total += out * taps / math.prod(p["lhs_dilation"])
        elif name == "dot_general":
            total += out * math.prod(shapes[0][axis] for axis in p["dimension_numbers"][0][0])
        elif name == "cond":  # the last branch is the one of other backends, or any
            total += multiply_adds(p["branches"][-1].jaxpr)
        else:
            inner = (getattr(value, "jaxpr", value) for value in p.values())
            each = sum(multiply_adds(one) for one in inner if hasattr(one, "eqns"))
            total += each * p.get("length", 1)
    return total


def load(name: str) -> cem.Network:
    """A network with bundled or random weights."""
    bundled = cem.models.describe(name).bundled
    return cem.load(name) if bundled else cem.from_torch(name, random_weights(name))


def seconds_of(call: Callable[[], Any]) -> float:
    """Wall time of one call."""
    begun = time.perf_counter()
    jax.block_until_ready(call())
    return time.perf_counter() - begun


class Peak:
    """The fastest large matrix product on all devices so far, in multiply-adds per second."""

    def __init__(self, sharding: NamedSharding, devices: int):
        shape = (devices, _SIDE, _SIDE)
        values = np.random.default_rng(0).random(shape, np.float32)
        self.matrices = jax.device_put(values, sharding)
        self.product = jax.jit(jnp.matmul).lower(self.matrices, self.matrices).compile()
        self.work = devices * _SIDE**3
        self.value = 0.0

    def measure(self) -> None:
        """A few more products; the first one finds the caches full of something else."""
        for _ in range(3):
            seconds = seconds_of(lambda: self.product(self.matrices, self.matrices))
            self.value = max(self.value, self.work / seconds)


def measure(name: str, size: int, seconds: float) -> dict[str, Any]:
    """One network's row."""
    network, devices = load(name), jax.devices()
    mesh = jax.make_mesh((len(devices),), ("images",), axis_types=(AxisType.Auto,))
    spread, everywhere = (NamedSharding(mesh, PartitionSpec(*axes)) for axes in (["images"], []))
    peak = Peak(spread, len(devices))
    row: dict[str, Any] = {"name": name, "size": size, "devices": len(devices)}
    for batch in _BATCHES:
        shape = (batch, size, size, cem.models.find(name).config.get("in_nc", 3))
        x = np.random.default_rng(1).random(shape, np.float32)
        places = (devices[0], devices[0]) if batch % len(devices) else (everywhere, spread)
        inputs = jax.device_put((network.params, x), places)
        begun = time.perf_counter()
        program = (
            jax.jit(network.apply, compiler_options=known(CONVOLUTIONS)).lower(*inputs).compile()
        )
        compiled = time.perf_counter() - begun
        forward = functools.partial(program, *inputs)
        end = time.perf_counter() + seconds
        best = seconds_of(forward)
        peak.measure()
        while time.perf_counter() < end:
            turn = time.perf_counter() + _TURN
            while time.perf_counter() < turn:
                best = min(best, seconds_of(forward))
            peak.measure()
        memory = program.memory_analysis()
        work = multiply_adds(jax.make_jaxpr(network.apply)(*inputs).jaxpr)
        row[str(batch)] = {
            "multiply_adds": work,
            "seconds": best,
            "compile_seconds": compiled,
            "bytes": memory.argument_size_in_bytes
            + memory.output_size_in_bytes
            + memory.temp_size_in_bytes,
        }
        if batch == 1:
            row["bfloat16"] = bfloat16_deviation(network, inputs, np.asarray(forward()))
        jax.clear_caches()
    return {**row, "peak": peak.value}


def bfloat16_deviation(network: cem.Network, inputs: tuple[Any, jax.Array], y: np.ndarray) -> float:
    """Relative L2 of a forward in bfloat16 against the float32 output y."""
    halved = jax.tree.map(lambda leaf: leaf.astype(jnp.bfloat16), inputs)
    rounded = np.asarray(jax.jit(network.apply)(*halved), np.float64)
    return float(np.linalg.norm(rounded - y) / np.linalg.norm(y))


def table(rows: Sequence[dict[str, Any]], names: dict[str, tuple[str, ...]]) -> str:
    """The rows in Markdown."""
    peaks = [row["peak"] / 1e9 for row in rows]
    lines = [
        f"{rows[0]['devices']} devices, input {rows[0]['size']} x {rows[0]['size']}; "
        f"peak {min(peaks):.0f} to {max(peaks):.0f} GMAC/s. Figures are for batch "
        f"{' / '.join(map(str, _BATCHES))}.",
        "",
        "| network | GMAC an image | share of the peak, % | ms an image | compile, s | MB | "
        "bfloat16 |",
        "| --- | --- | --- | --- | --- | --- | --- |",
    ]
    for row in rows:
        cases = [row[str(batch)] for batch in _BATCHES]
        figures = [
            [100 * case["multiply_adds"] / case["seconds"] / row["peak"] for case in cases],
            [1e3 * row[str(n)]["seconds"] / n for n in _BATCHES],
            [case["compile_seconds"] for case in cases],
            [case["bytes"] / 2**20 for case in cases],
        ]
        cells = [", ".join(names[row["name"]]), f"{row['1']['multiply_adds'] / 1e9:.3g}"]
        for values, digits in zip(figures, (0, 1, 1, 0), strict=True):
            cells.append(" / ".join(f"{value:.{digits}f}" for value in values))
        lines.append(f"| {' | '.join([*cells, format(row['bfloat16'], '.1e')])} |")
    return "\n".join(lines)


def distinct() -> dict[str, tuple[str, ...]]:
    """The first name of every network, with all names of the same architecture and arguments."""
    groups: dict[str, list[str]] = {}
    for name in cem.models.names():
        entry = cem.models.find(name)
        same = (entry.architecture.__name__, *sorted(entry.config.items()))
        groups.setdefault(repr(same), []).append(name)
    return {group[0]: tuple(group) for group in groups.values()}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", metavar="NAME", choices=cem.models.names())
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=4)
    parser.add_argument("--json", type=Path, metavar="FILE")
    parser.add_argument("--worker", metavar="NAME", help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.worker:
        cem.use_all_cores()
        print(json.dumps(measure(args.worker, args.size, args.seconds)))
        return
    groups = distinct()
    wanted = [
        first for first, names in groups.items() if not args.only or set(names) & set(args.only)
    ]
    kept = args.json.read_text().splitlines() if args.json and args.json.exists() else []
    rows = {row["name"]: row for row in map(json.loads, kept) if row["size"] == args.size}
    for name in wanted:
        if name in rows:
            continue
        command = [sys.executable, __file__, "--worker", name]
        command += ["--size", str(args.size), "--seconds", str(args.seconds)]
        line = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
        rows[name] = json.loads(line)
        print(f"{name} measured", file=sys.stderr, flush=True)
        if args.json:
            with args.json.open("a") as file:
                file.write(line)
    print(table([rows[name] for name in wanted], groups))


if __name__ == "__main__":
    main()
