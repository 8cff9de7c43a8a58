"""What becomes of a region when many blocks are replaced together.

Blocks are chosen by one half of a map's draws and replaced by fresh ones, so that nothing is judged
by the draws that chose it.
"""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec
from jaxtyping import Bool, Float, Float32, Float64, Int, Key

import cem_jax as cem
from cem_jax.experiments.figures.measures import distance, halves

SHARES = (0.0, 0.01, 0.03, 0.1, 0.3, 1.0)
"""Of the blocks outside the region, along a curve."""
_BATCH = 8
"""Images restored together, on all devices."""


@functools.partial(jax.jit, static_argnums=0)
def _written(
    treedef: Any,
    leaves: Any,
    patches: Float32[jax.Array, "n block block c"],
    corners: Int[jax.Array, "n 2"],
    keys: Key[jax.Array, " n"],
) -> Float[jax.Array, "n side side c"]:
    """Input pixels of patches [n, side, side, 3] at corners [n, 2]."""
    intervene = jax.tree.unflatten(treedef, leaves)
    return jax.vmap(intervene)(patches, corners[:, 0], corners[:, 1], keys)


def replacement(
    scene: cem.Scene, side: int, pool: cem.PatchPool, key: Key[jax.Array, ""]
) -> Float32[np.ndarray, "h w c"]:
    """The input with every block replaced by a patch of its own, float32 [h, w, 3].

    Args:
        scene: with a do().
        side: of a block, in input pixels.
        pool: patches to draw from.
        key: of patches and noise.
    """
    height, width = scene.degraded.shape[:2]
    rows, columns = -(-height // side), -(-width // side)
    corners = side * np.stack(np.divmod(np.arange(rows * columns), columns), axis=1)
    which, noise = jax.random.split(key)
    drawn = np.asarray(jax.random.randint(which, (len(corners),), 0, len(pool)))
    leaves, treedef = jax.tree.flatten(scene.intervene)
    patches = jnp.asarray(pool.patches[drawn], jnp.float32) / 255
    keys = jax.random.split(noise, len(corners))
    pixels = np.asarray(_written(treedef, leaves, patches, jnp.asarray(corners), keys))
    image = pixels.reshape(rows, columns, side, side, 3).swapaxes(1, 2)
    return image.reshape(rows * side, columns * side, 3)[:height, :width]


def replaced(
    scene: cem.Scene,
    blocks: Bool[np.ndarray, "rows columns"],
    side: int,
    by: Float32[np.ndarray, "h w c"],
) -> Float32[np.ndarray, "h w c"]:
    """The input with some blocks taken from another image, float32 [h, w, 3].

    Args:
        scene: the scene.
        blocks: which, bool [rows, columns].
        side: of a block, in input pixels.
        by: see `replacement`.
    """
    height, width = scene.degraded.shape[:2]
    pixels = blocks.repeat(side, 0).repeat(side, 1)[:height, :width, None]
    return np.where(pixels, by, scene.degraded)


def region_psnr(
    network: cem.Network,
    scene: cem.Scene,
    roi: cem.ROI,
    inputs: Sequence[Float32[np.ndarray, "h w c"]],
) -> Float64[np.ndarray, " n"]:
    """PSNR of the region for each of the inputs, [n] in dB."""
    rows, columns = slice(roi.y, roi.y + roi.height), slice(roi.x, roi.x + roi.width)
    target = jnp.asarray(scene.clean[rows, columns])
    devices = jax.devices()
    mesh = jax.make_mesh((len(devices),), ("image",), (AxisType.Auto,), devices=devices)
    each = NamedSharding(mesh, PartitionSpec("image"))
    size = -(-_BATCH // len(devices)) * len(devices)
    found: list[float] = []
    for first in range(0, len(inputs), size):
        part = list(inputs[first : first + size])
        batch = np.stack(part + part[:1] * (size - len(part)))
        restored = jnp.clip(network(jax.device_put(batch, each))[:, rows, columns], 0, 1)
        found += jax.vmap(cem.psnr, (0, None))(restored, target).tolist()[: len(part)]
    return np.array(found)


def masked(
    network: cem.Network, scene: cem.Scene, effect_map: cem.EffectMap, draws: int
) -> dict[str, float | int | None]:
    """Replaces the blocks that harm by the first half of the draws, all together.

    Args:
        network: of the map.
        scene: of the map.
        effect_map: with a `Fixed` plan.
        draws: fresh ones for the joint replacement.

    Returns:
        "blocks" chosen; "gain": PSNR of the region with all of them replaced minus that without,
        in dB; "harmful_again": share of them that harm by the second half too, in %; "single_gain":
        mean gain of replacing one of them, by the second half, in dB.
    """
    first, second = halves(effect_map)
    chosen = np.nan_to_num(first) < -effect_map.tolerance
    if not chosen.any():
        return {"blocks": 0, "gain": 0.0, "harmful_again": None, "single_gain": None}
    keys = jax.random.split(jax.random.key(1), draws)
    pool = cem.PatchPool.default()
    side = effect_map.block
    inputs = [replaced(scene, chosen, side, replacement(scene, side, pool, key)) for key in keys]
    after = region_psnr(network, scene, effect_map.roi, inputs)
    return {
        "blocks": int(chosen.sum()),
        "gain": float(after.mean() - effect_map.baseline),
        "harmful_again": float(100 * (second[chosen] < 0).mean()),
        "single_gain": float(-second[chosen].mean()),
    }


def curves(
    network: cem.Network, scene: cem.Scene, effect_map: cem.EffectMap, draws: int
) -> dict[str, dict[str, list[float]]]:
    """Deletion and insertion: PSNR of the region as blocks are replaced, or put back, in an order.

    Deletion replaces the first blocks of the order; insertion replaces all others. Orders: by the
    effect (first half of the draws, most helpful first), by nearness to the region, at random.

    Args:
        network: of the map.
        scene: of the map.
        effect_map: with a `Fixed` plan.
        draws: for each point.

    Returns:
        {"deletion" | "insertion": {order: PSNR in dB at each of `SHARES`}}.
    """
    outside = np.flatnonzero(~effect_map.inside_roi)
    helps = halves(effect_map)[0].ravel()[outside]
    far = distance(effect_map).ravel()[outside]
    orders = {
        "effect": outside[np.argsort(-helps, kind="stable")],
        "nearness": outside[np.argsort(far, kind="stable")],
        "random": np.random.default_rng(0).permutation(outside),
    }
    keys, pool = jax.random.split(jax.random.key(2), draws), cem.PatchPool.default()
    others = [replacement(scene, effect_map.block, pool, key) for key in keys]
    names, replaced_blocks = [], []
    for name, order in orders.items():
        for share in SHARES:
            end = round(share * len(order))
            for kind, blocks in (("deletion", order[:end]), ("insertion", order[end:])):
                chosen = np.zeros(effect_map.effect.size, bool)
                chosen[blocks] = True
                names.append((kind, name))
                replaced_blocks.append(chosen)
    # The ends of the curves are the same for all orders.
    different, place = np.unique(replaced_blocks, axis=0, return_inverse=True)
    inputs = [
        replaced(scene, blocks.reshape(effect_map.effect.shape), effect_map.block, by)
        for blocks in different
        for by in others
    ]
    psnr = region_psnr(network, scene, effect_map.roi, inputs).reshape(-1, draws).mean(axis=1)
    found: dict[str, dict[str, list[float]]] = {"deletion": {}, "insertion": {}}
    for (kind, name), value in zip(names, psnr[place.reshape(-1)].tolist(), strict=True):
        found[kind].setdefault(name, []).append(value)
    return found
