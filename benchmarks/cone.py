"""Interventions per second of the causal cone against the region's crop, both in one run.

    python benchmarks/cone.py [--size 256] [--roi 32] [--block 8] [--seconds 20]

DnCNN's 20 layers of 64 channels with random weights, draws of the blocks that can reach the region,
one device. The crop is what a dense computation needs: the region and the receptive radius around
it; it is computed at every eighth block, in turn with the cone, so that a busy machine slows both.
The largest difference between the two is printed too.
"""

import argparse
import itertools
import time

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

from cem_jax import cone as cones


def dncnn(params: list[tuple[jax.Array, jax.Array]], x: jax.Array) -> jax.Array:
    """X minus a stack of 3x3 convolutions with rectifiers between them."""
    y = x
    for layer, (kernel, bias) in enumerate(params):
        y = lax.conv_general_dilated(
            y, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        y = y + bias.reshape(1, 1, 1, -1)
        y = y if layer == len(params) - 1 else jax.nn.relu(y)
    return x - y


def weights(depth: int, width: int) -> list[tuple[jax.Array, jax.Array]]:
    """He-normal kernels and small biases."""
    rng = np.random.default_rng(0)
    channels = [3] + [width] * (depth - 1) + [3]
    pairs = []
    for before, after in itertools.pairwise(channels):
        kernel = rng.normal(size=(3, 3, before, after)) * np.sqrt(2 / (9 * before))
        bias = rng.normal(size=after) * 0.1
        pairs.append((jnp.asarray(kernel, jnp.float32), jnp.asarray(bias, jnp.float32)))
    return pairs


def main() -> None:
    """Prints the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, value in (("size", 256), ("roi", 32), ("block", 8), ("depth", 20), ("width", 64),
                        ("draws", 8), ("seconds", 20)):  # fmt: skip
        parser.add_argument(f"--{name}", type=int, default=value)
    parser.add_argument("--class-cost", type=float, default=None)
    args = parser.parse_args()
    params, rng = weights(args.depth, args.width), np.random.default_rng(1)
    x = rng.random((1, args.size, args.size, 3), np.float32)
    corner = (args.size - args.roi) // 2
    roi = (corner, corner, args.roi, args.roi)

    start = time.perf_counter()
    plan = cones.plan(dncnn, x.shape, roi, args.block, params=params, class_cost=args.class_cost)
    planned = time.perf_counter() - start
    start = time.perf_counter()
    cone = plan.prepare(x, params)
    cone.region.block_until_ready()
    prepared = time.perf_counter() - start

    low, high = max(corner - args.depth, 0), min(corner + args.roi + args.depth, args.size)
    crop, own = jnp.asarray(x[0, low:high, low:high]), corner - low

    @jax.jit
    def dense(y: jax.Array, left: jax.Array, patches: jax.Array) -> jax.Array:
        margin = args.block
        canvas = jnp.pad(crop, ((margin, margin), (margin, margin), (0, 0)))

        def paste(patch: jax.Array) -> jax.Array:
            at = (y - low + margin, left - low + margin, 0)
            return lax.dynamic_update_slice(canvas, patch, at)[margin:-margin, margin:-margin]

        out = dncnn(params, jax.vmap(paste)(patches))
        return out[:, own : own + args.roi, own : own + args.roi]

    reaching = np.flatnonzero(plan.program_of >= 0)
    patches = jnp.asarray(rng.random((args.draws, args.block, args.block, 3), np.float32))
    start = time.perf_counter()
    for program in range(len(plan.programs)):
        block = int(np.flatnonzero(plan.program_of == program)[0])
        cone.evaluate(plan.origins[block], patches).block_until_ready()
    compiled = time.perf_counter() - start
    dense(0, 0, patches).block_until_ready()

    spent, count, worst, done = np.zeros(2), np.zeros(2), 0.0, 0
    order = rng.permutation(reaching)
    while spent.sum() < args.seconds:
        origin = plan.origins[order[done % len(order)]]
        start = time.perf_counter()
        one = cone.evaluate(origin, patches).block_until_ready()
        middle = time.perf_counter()
        spent[0], count[0], done = spent[0] + middle - start, count[0] + args.draws, done + 1
        if done % 8 == 1:
            other = dense(*(int(n) for n in origin), patches).block_until_ready()
            spent[1] += time.perf_counter() - middle
            count[1] += args.draws
            worst = max(worst, float(jnp.abs(one - other).max()))
    rate = count / spent
    work = plan.multiply_adds
    print(f"{plan.note}; planned in {planned:.2f} s, baseline {prepared:.2f} s, "
          f"compiled in {compiled:.1f} s")  # fmt: skip
    print(f"GMAC per intervention: whole image {work.dense / 1e9:.3f}, crop {work.crop / 1e9:.3f}, "
          f"cone {work.cone[reaching].mean() / 1e9:.3f}, as computed "
          f"{work.programs[reaching].mean() / 1e9:.3f}")  # fmt: skip
    print(f"{done} blocks x {args.draws} draws; largest difference {worst:.2e}")
    for name, per_second in zip(("cone", "crop"), rate, strict=True):
        print(f"{name:>5}: {per_second:8.1f} interventions/s")
    print(f"ratio: {rate[0] / rate[1]:.2f}")


if __name__ == "__main__":
    main()
