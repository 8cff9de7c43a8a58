"""Where a network's forward spends its time on CPU, by kind of operation.

    python benchmarks/forward_parts.py NAME... [--size 64] [--batch 1] [--runs 6]

XLA's profiler times every operation of the compiled program on one device; an operation counts with
the fastest half of its runs, so that a busy machine distorts little. "Products" are convolutions
and matrix products, with the multiply-adds per second that they reach by themselves; "element-wise"
are fused activations, sums and normalisations; "moved" are copies, transposes, padding and joins
without arithmetic.
"""

import argparse
import re
import tempfile
from collections import defaultdict
from pathlib import Path

import jax
import numpy as np
from forward import load, multiply_adds

_KINDS = {
    "products": r"\b(convolution|dot|custom-call)\(",
    "gathers": r"\b(gather|scatter)\(",
    "reductions": r"\b(reduce|reduce-window|sort)\(",
    "element-wise": r"\b(add|subtract|multiply|divide|exponential|maximum|minimum|tanh|erf|rsqrt"
    r"|sqrt|logistic|select|power|compare|negate|abs|log|convert)\(",
    "moved": r"",
}
"""What a kind's operations contain; the first that fits counts."""


def kinds(program: str) -> dict[str, str]:
    """The kind of every operation of a compiled program's text."""
    bodies: dict[str, str] = {}
    for name, body in re.findall(r"^%?([\w.\-]+) [^\n]*\{\n(.*?)^\}", program, re.M | re.S):
        bodies[name] = body
    found = {}
    for name, rest in re.findall(r"^\s*(?:ROOT )?%?([\w.\-]+) = (.*)$", program, re.M):
        if re.search(r"\b(while|call|conditional)\(", rest):
            continue
        inner = re.search(r"calls=%?([\w.\-]+)", rest)
        text = bodies.get(inner[1], "") if inner else re.split(r", metadata=", rest)[0]
        found[name] = next(kind for kind, has in _KINDS.items() if re.search(has, text))
    return found


def spent(name: str, size: int, batch: int, runs: int) -> tuple[dict[str, float], float]:
    """Seconds of a forward by kind of operation, and its multiply-adds."""
    network = load(name)
    x = np.random.default_rng(1).random((batch, size, size, 3), np.float32)
    inputs = jax.device_put((network.params, x))
    work = multiply_adds(jax.make_jaxpr(network.apply)(*inputs).jaxpr)
    program = jax.jit(network.apply).lower(*inputs).compile()
    program(*inputs).block_until_ready()
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            for _ in range(runs):
                program(*inputs).block_until_ready()
        (file,) = Path(folder).rglob("*.xplane.pb")
        planes = list(jax.profiler.ProfileData.from_file(str(file)).planes)
    times = defaultdict(list)
    for plane in planes:
        for line in plane.lines:
            for event in line.events:
                times[event.name].append(event.duration_ns / 1e9)
    total = dict.fromkeys(_KINDS, 0.0)
    for operation, kind in kinds(program.as_text()).items():
        every = sorted(times.get(operation, []))
        if every:
            total[kind] += len(every) / runs * float(np.mean(every[: -(-len(every) // 2)]))
    return total, work


def main() -> None:
    """Prints a table."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="+", metavar="NAME")
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--runs", type=int, default=6)
    args = parser.parse_args()
    print(f"| network | ms | {' | '.join(f'{kind}, %' for kind in _KINDS)} | products, GMAC/s |")
    print("| --- " * (len(_KINDS) + 3) + "|")
    for name in args.names:
        total, work = spent(name, args.size, args.batch, args.runs)
        whole = sum(total.values())
        shares = " | ".join(f"{100 * value / whole:.0f}" for value in total.values())
        own = work / total["products"] / 1e9
        print(f"| {name} | {1e3 * whole:.1f} | {shares} | {own:.1f} |", flush=True)
        jax.clear_caches()


if __name__ == "__main__":
    main()
