"""The sweep against torch, our own dense computation and this machine's peak, all in one run.

    python benchmarks/sweep.py [--only SECTION...] [--networks NAME...] [--weights DIR]
                               [--rounds 3] [--json FILE] [--quick]

networks  interventions per second, whole path included (draw, paste, network, PSNR), for a region
          of 32 x 32 pixels, blocks of 8 x 8 and images of 256 x 256 (64 x 64 before x4).
map       a complete CoarseToFine(3, 50) map of DnCNN in a fresh process, programs compiled and
          then found on disk, and once more in the same process.
growth    how the cost of an intervention grows with image, region, block and depth.
demo      `cem-jax demo` in a fresh process, programs compiled and then found on disk.

Torch and our dense computation restore whole images; torch one at a time, with channels last (its
fastest layout here) and with channels first (its default); on a GPU sixteen at a time. The
peak is a 2048 x 2048 float32 matrix product on every device at once. What is compared is measured
in turn, and the least time counts.
"""

import argparse
import functools
import json
import math
import os
import platform
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import jax
import rates
import subjects

import cem_jax as cem

Rows = list[dict[str, Any]]

_LOCAL = {"candidates": 50, "all": 3}
_GLOBAL = {"all": 4}
STAGES = {
    "DnCNN": _LOCAL,
    "EDSR": _LOCAL,
    "PAN": _LOCAL,
    "RFDN": _GLOBAL,
    "IMDN": _GLOBAL,
    "RCAN": _GLOBAL,
    "SwinIR": _GLOBAL,
}
"""Draws at each block, by network; where the attention is global, no block is special."""

_DEPTHS, _QUICK_DEPTH = (10, 20, 40), 3
_HERE = Path(__file__).parent


def networks(args: argparse.Namespace) -> Rows:
    """Interventions per second, network by network."""
    rows: Rows = []
    for name in args.networks:
        network = subjects.network(name, args.weights)
        scene, roi = subjects.scene(network.scale, args.size), subjects.roi(args.size)
        stages = STAGES.get(name, _LOCAL)
        rows += rates.compared(network, scene, roi, stages, args.budget, args.rounds)
        jax.clear_caches()
    return rows


def one_map(args: argparse.Namespace) -> Rows:
    """Seconds of a complete map, against torch's for as many forwards as the paper's code makes."""
    name = args.networks[0]
    network = subjects.network(name, args.weights)
    scene = subjects.scene(network.scale, args.size)
    forwards = rates.torch_forwards(network, scene.degraded)
    rows: Rows = []
    torch = dict.fromkeys(rates.LAYOUTS, math.nan)
    with tempfile.TemporaryDirectory() as cache:
        command = [sys.executable, str(_HERE / "one_map.py"), name, str(args.size), cache]
        command += [str(args.weights)] if args.weights else []
        for state in ("compiled", "found on disk"):
            for layout, least in rates.interleaved(forwards, args.rounds).items():
                # The first of these, if that is NaN.
                torch[layout] = min(least / rates.torch_batch(), torch[layout])
            begun = time.perf_counter()
            done = subprocess.run(command, check=True, capture_output=True, text=True)
            process = time.perf_counter() - begun
            found = json.loads(done.stdout)
            first, again = found["seconds"]
            rows.append({"programs": state, "map s": first, "process s": process - again})
        rows.append({"programs": "same process", "map s": again, "process s": ""})
    for row in rows:
        row |= {"network": name, "evaluations": found["evaluations"]}
        row["paper's forwards"] = found["forwards"]
        for layout, least in torch.items():
            row[f"torch {layout} s"] = least
            row[f"5022 {layout}"] = 5022 * least / row["map s"]
    return rows


def growth(args: argparse.Namespace) -> Rows:
    """Cost of an intervention for DnCNN with random weights, one thing changed at a time."""
    base = (128, 16, 8, _QUICK_DEPTH) if args.quick else (256, 32, 8, 20)
    changes = [(256, 16, 8, _QUICK_DEPTH)] if args.quick else [
        (128, 32, 8, 20), (512, 32, 8, 20), (256, 16, 8, 20), (256, 64, 8, 20),
        (256, 32, 4, 20), (256, 32, 16, 20), (256, 32, 8, 10), (256, 32, 8, 40),
    ]  # fmt: skip

    def subject(size: int, side: int, block: int, layers: int) -> rates.Subject:
        weights = subjects.random_weights("DnCNN", {"nb": layers})
        network = cem.from_torch("DnCNN", weights)
        return rates.Subject.make(
            network, subjects.scene(1, size), cem.ROI(48, 48, side, side), block
        )

    makers = {key: functools.partial(subject, *key) for key in (base, *changes)}
    return rates.growth(makers, 6, args.budget, args.rounds)


def demo(args: argparse.Namespace) -> Rows:
    """Seconds of the demo."""
    rows: Rows = []
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"XDG_CACHE_HOME": f"{folder}/cache"}
        for state in ("compiled", "found on disk"):
            command = [
                sys.executable,
                "-m",
                "cem_jax.cli",
                "demo",
                "--out",
                f"{folder}/{state}",
            ]
            begun = time.perf_counter()
            subprocess.run(command, check=True, capture_output=True, env=environment)
            rows.append({"programs": state, "process s": time.perf_counter() - begun})
    return rows


SECTIONS = {"networks": networks, "map": one_map, "growth": growth, "demo": demo}


def machine() -> str:
    """What the numbers belong to."""
    installed = [name for name in ("jax", "torch") if find_spec(name)]
    parts = [f"{platform.machine()}, {jax.device_count()} {jax.default_backend()} devices"]
    parts += [f"{name} {version(name)}" for name in installed]
    return ", ".join([*parts, f"Python {platform.python_version()}"])


def text(value: Any) -> str:
    """A number with three digits."""
    if not isinstance(value, float):
        return str(value)
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", nargs="+", choices=SECTIONS, default=list(SECTIONS))
    parser.add_argument("--networks", nargs="+", default=None, metavar="NAME")
    parser.add_argument("--weights", type=Path, help="folder of official checkpoints")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path, help="where the numbers are kept")
    parser.add_argument("--quick", action="store_true", help="small, to see that it runs")
    args = parser.parse_args()
    args.budget = 1e9 if args.quick else 300e9
    args.size = 64 if args.quick else 256
    args.rounds = 1 if args.quick else args.rounds
    args.networks = args.networks or (["DnCNN-compact"] if args.quick else list(STAGES))
    cem.use_all_cores()
    results: dict[str, Any] = {"machine": machine()}
    print(results["machine"])
    for name in args.only:
        results[name] = SECTIONS[name](args)
        lines = [{key: text(value) for key, value in row.items()} for row in results[name]]
        print(f"\n### {name}\n\n{cem.markdown_table(lines)}", flush=True)
        if args.json:
            args.json.write_text(json.dumps(results, indent=1) + "\n")


if __name__ == "__main__":
    main()
