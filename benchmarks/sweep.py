"""Interventions per second: the region's crop against the whole image, in one run.

    python benchmarks/sweep.py [--network DnCNN-compact] [--size 256]

The two ways give the same outcomes; the largest difference is printed with the rates.
"""

import argparse
import dataclasses
import time

import numpy as np

import cem_jax as cem


def rate(network: cem.Network, scene: cem.Scene, roi: cem.ROI, count: int):
    """Interventions per second with a warm program, and the outcomes."""
    random = np.random.default_rng(0)
    block = 8 // scene.scale
    near = np.array([roi.y // 8 - 1, roi.x // 8 - 1])
    blocks = np.broadcast_to(near, (count, 2))
    patches = random.random((count, block, block, 3), np.float32)
    cem.outcomes(network, scene, roi, blocks[:32], patches[:32])
    begun = time.perf_counter()
    values = cem.outcomes(network, scene, roi, blocks, patches)
    return count / (time.perf_counter() - begun), values


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--network", default="DnCNN-compact")
    parser.add_argument("--size", type=int, default=256)
    args = parser.parse_args()
    cem.use_all_cores()
    network = cem.load(args.network)
    clean = np.tile(cem.example_image("cabin"), (4, 4, 1))[: args.size, : args.size]
    if network.scale > 1:
        scene = cem.Scene.super_resolution(clean, network.scale)
    else:
        scene = cem.Scene.denoising(clean)
    roi = cem.ROI(96, 40, 32, 32)
    dense = dataclasses.replace(network, receptive_radius=None)
    crop_rate, crop_values = rate(network, scene, roi, 256)
    dense_rate, dense_values = rate(dense, scene, roi, 32)
    difference = np.abs(rate(network, scene, roi, 32)[1] - dense_values).max()
    print(f"{args.network}, {args.size} x {args.size}, region 32 x 32, block 8")
    print(f"crop:        {crop_rate:8.1f} interventions/s")
    print(f"whole image: {dense_rate:8.1f} interventions/s")
    print(f"ratio:       {crop_rate / dense_rate:8.1f}")
    print(f"largest difference of outcomes: {difference:.1e} dB over {len(dense_values)}")
    assert np.isfinite(crop_values).all()


if __name__ == "__main__":
    main()
