"""Interventions per second of a network: the sweep, our dense computation, torch, in turn."""

import dataclasses
import functools
import importlib.util
import math
import time
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import AxisType, NamedSharding, PartitionSpec

import cem_jax as cem
from cem_jax import cone as cones
from cem_jax.grid import Grid
from cem_jax.network.network import Apply
from cem_jax.outcome import clip, psnr
from cem_jax.sweep.layout import Layout
from cem_jax.sweep.sweep import Sweep

_GIGA = 1e9
_SIDE = 2048
_DRAWS = (3, 53)
"""Interventions at far and near blocks that a CoarseToFine(3, 50) map plans its programs for."""

_TORCH_BATCH = 16

_FEWEST = 8
"""Interventions in one measurement, whatever they cost."""


def interleaved(calls: Mapping[Any, Callable[[], Any]], rounds: int) -> dict[Any, float]:
    """Least seconds of each call, taken in turn, so that a busy machine slows all alike."""
    least = dict.fromkeys(calls, math.inf)
    for _ in range(rounds):
        for name, call in calls.items():
            begun = time.perf_counter()
            call()
            least[name] = min(least[name], time.perf_counter() - begun)
    return least


def matrix_product() -> tuple[Callable[[], Any], float]:
    """A float32 matrix product on every device at once, compiled; and its multiply-adds."""
    devices = jax.devices()
    mesh = jax.make_mesh((len(devices),), ("each",), axis_types=(AxisType.Auto,))
    shape = (len(devices), _SIDE, _SIDE)
    each = NamedSharding(mesh, PartitionSpec("each"))
    matrices = jax.device_put(np.random.default_rng(0).random(shape, np.float32), each)
    product = jax.jit(jnp.matmul).lower(matrices, matrices).compile()
    return lambda: product(matrices, matrices).block_until_ready(), math.prod(shape) * _SIDE


LAYOUTS = ("channels last", "channels first")


def torch_batch() -> int:
    """Images in one of torch's forwards: one on a CPU, as many as keep a GPU busy on that."""
    return _TORCH_BATCH if jax.default_backend() == "gpu" else 1


def torch_forwards(network: cem.Network, image: np.ndarray) -> dict[str, Callable[[], Any]]:
    """Torch on `torch_batch()` images [h, w, c], for each of `LAYOUTS`; none without torch.

    It has all threads, or the GPU that JAX has, where products are TF32 as JAX's are by default.

    Raises:
        RuntimeError: JAX has a GPU and torch has none.
    """
    if importlib.util.find_spec("torch") is None:
        return {}
    import torch
    from torch_networks import forward

    formats = dict(zip(LAYOUTS, (torch.channels_last, torch.contiguous_format), strict=True))
    weights, on_gpu = cem.to_torch(network), jax.default_backend() == "gpu"
    if on_gpu and not torch.cuda.is_available():
        raise RuntimeError("this torch has no GPU to be compared with; install one with CUDA")
    device = "cuda" if on_gpu else "cpu"
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = on_gpu
    x = torch.from_numpy(np.array(image, np.float32)).permute(2, 0, 1)
    x = x.expand(torch_batch(), *x.shape).to(device)

    def waited(run: Callable[[Any], Any]) -> None:
        run(x)
        if on_gpu:
            torch.cuda.synchronize()

    return {
        layout: functools.partial(waited, forward(network.name, weights, formats[layout], device))
        for layout in LAYOUTS
    }


def _unseen(x: jax.Array) -> jax.Array:
    """The same images; that they are is not seen before it runs."""
    return jax.lax.cond(x[0, 0, 0, 0] < jnp.inf, lambda x: x, lambda x: -x, x)


@dataclasses.dataclass(frozen=True)
class _Opaque:
    """A function that hides on which input pixels an output pixel depends."""

    apply: Apply

    def __call__(self, params: Any, x: jax.Array) -> jax.Array:
        return _unseen(self.apply(params, _unseen(x)))


def without_locality(network: cem.Network) -> cem.Network:
    """The network as one of which no locality is known: whole images are computed."""
    return dataclasses.replace(network, apply=_Opaque(network.apply), receptive_radius=None)


def needed(
    network: cem.Network, shape: tuple[int, ...], roi: tuple[int, int, int, int]
) -> tuple[float, float]:
    """Multiply-adds of an image's forward: all of it, and what a region of the output needs."""
    origin = np.zeros((1, 2), np.int64)
    plan = cones.plan(network.apply, (1, *shape), roi, 1, origins=origin, params=network.params)
    return plan.multiply_adds.dense, plan.multiply_adds.crop


@dataclasses.dataclass(frozen=True)
class Subject:
    """A network, a scene and a region, ready for interventions.

    Args:
        scene: the scene.
        sweep: of the network and the region.
        pool: patches, uint8 [p, block, block, 3].
        reaching: blocks outside the region that can reach it, int [n].
        whole: multiply-adds of the whole image.
        exact: multiply-adds that an intervention at each of the grid's blocks needs: its exact
            cone, or all that the region needs where no cone is used.
        seconds: spent on planning and the baseline.
    """

    scene: cem.Scene
    sweep: Sweep
    pool: np.ndarray
    reaching: np.ndarray
    whole: float
    exact: np.ndarray
    seconds: float

    @classmethod
    def make(
        cls, network: cem.Network, scene: cem.Scene, roi: cem.ROI, block: int = 8
    ) -> "Subject":
        """Plans the sweep; `block` is in output pixels."""
        grid = Grid.make(*scene.degraded.shape[:2], block, scene.scale)
        outside = ~grid.near(roi.in_input(scene.scale), 0)
        begun = time.perf_counter()
        layout = Layout.make(network, scene, (roi,), grid, outside, clip, (psnr,), draws=_DRAWS)
        sweep = Sweep.make(layout)
        seconds = time.perf_counter() - begun
        pool = cem.PatchPool.default()
        if block != pool.size:
            pool = cem.PatchPool.from_images([scene.clean], block)
        rectangle = (roi.y, roi.x, roi.height, roi.width)
        whole, region = needed(network, scene.degraded.shape, rectangle)
        exact = np.full(grid.rows * grid.columns, region)
        if not layout.dense:
            exact[layout.place] = layout.work.cone
        reaching = np.flatnonzero(layout.reach & outside)
        return cls(scene, sweep, pool.patches, reaching, whole, exact, seconds)

    def of_programs(self, count: int) -> list[np.ndarray]:
        """Blocks that reach the region, of so many of the cones' programs, int [n] each.

        The programs go from small windows to large ones. An intervention at their blocks takes
        about what one takes on average, and calls are filled as in a map.
        """
        layout = self.sweep.layout
        of, work = layout.plan.program_of, layout.work.programs
        reaching = np.isin(layout.place, self.reaching)
        programs = np.unique(of[(of >= 0) & reaching])
        order = programs[np.argsort([work[of == number][0] for number in programs])]
        middle = (np.arange(count) + 0.5) * len(order) / count
        chosen = order[np.unique(middle.astype(int))]
        return [layout.place[(of == number) & reaching] for number in chosen]

    def run(self, cells: np.ndarray, draws: int) -> np.ndarray:
        """Interventions at blocks: drawn, pasted, computed and scored; PSNR [cells, draws]."""
        each, number = np.repeat(cells, draws), np.tile(np.arange(draws), len(cells))
        found = np.zeros(len(each), np.float32)
        do: Any = self.scene.intervene
        asked = self.sweep.from_pool(do, self.pool, 0, each, number, None)
        for part, values in self.sweep.evaluate(asked):
            found[part] = values[:, 0]
        return found.reshape(len(cells), draws)


def candidates(network: cem.Network, scene: cem.Scene, roi: cem.ROI) -> np.ndarray:
    """The blocks that the paper's plan goes on with after its coarse draws, int [n]."""
    plan = cem.CoarseToFine(coarse=3, fine=1)
    found = cem.causal_effect_map(network, scene, roi, plan=plan, progress=False)
    return np.flatnonzero(found.samples == plan.fine)


def spread(cells: np.ndarray, most: float) -> np.ndarray:
    """At most so many of the blocks, from all over the image."""
    count = int(np.clip(math.ceil(most), 1, len(cells)))
    return cells[np.linspace(0, len(cells) - 1, count).astype(int)]


def compared(
    network: cem.Network,
    scene: cem.Scene,
    roi: cem.ROI,
    stages: Mapping[str, int],
    budget: float,
    rounds: int,
) -> list[dict[str, Any]]:
    """Rates of one network in the sweep, in our dense computation, and in torch.

    Args:
        network: one of `torch_networks.FORWARDS`.
        scene: for its scale.
        roi: region of interest.
        stages: draws at each block of "candidates" and of "all" blocks that reach the region.
        budget: multiply-adds of one measurement, about.
        rounds: how often each is measured; the least time counts.

    Returns:
        A row for each stage.
    """
    product, product_work = matrix_product()
    sweep, dense = (Subject.make(one, scene, roi) for one in (network, without_locality(network)))
    forwards = torch_forwards(network, scene.degraded)
    few = spread(dense.reaching, max(_FEWEST, budget / dense.whole))
    calls = {"product": product, "dense": lambda: dense.run(few, 1), **forwards}
    counts = {"dense": len(few)} | dict.fromkeys(forwards, torch_batch())
    blocks = {}
    for stage, draws in stages.items():
        blocks[stage] = sweep.reaching
        if stage == "candidates":
            blocks[stage] = candidates(network, scene, roi)
        each = draws * sweep.exact[blocks[stage]].mean()
        blocks[stage] = spread(blocks[stage], max(_FEWEST / draws, budget / each))
        calls[stage] = functools.partial(sweep.run, blocks[stage], draws)
        counts[stage] = draws * len(blocks[stage])
    once = interleaved(calls, 1)  # compiles, and finds chunks
    least = interleaved(calls, rounds)
    compiling = sweep.seconds + sum(once[stage] - least[stage] for stage in stages)
    rate = {name: count / least[name] for name, count in counts.items()}
    torch = [rate.get(layout, math.nan) for layout in LAYOUTS]
    peak = product_work / least["product"]
    rows = []
    for stage in stages:
        exact = sweep.exact[blocks[stage]].mean()
        rows.append(
            {
                "network": network.name,
                "blocks": stage,
                "draws": counts[stage],
                "torch last /s": torch[0],
                "torch first /s": torch[1],
                "dense /s": rate["dense"],
                "sweep /s": rate[stage],
                "of last": rate[stage] / torch[0],
                "of first": rate[stage] / torch[1],
                "of dense": rate[stage] / rate["dense"],
                "whole GMAC": sweep.whole / _GIGA,
                "cone GMAC": exact / _GIGA,
                "peak GMAC/s": peak / _GIGA,
                "of peak": exact * rate[stage] / peak,
                "first s": compiling,
                "computed": sweep.sweep.layout.note,
            }
        )
    return rows


def growth(
    subjects: Mapping[tuple[int, int, int, int], Callable[[], Subject]],
    draws: int,
    budget: float,
    rounds: int,
) -> list[dict[str, Any]]:
    """How the cost of an intervention grows, averaged over all blocks that reach the region.

    Args:
        subjects: by sides of image, region and block, in output pixels, and layers.
        draws: at each block.
        budget: multiply-adds of one measurement, about.
        rounds: how often each is measured, all in turn; the least time counts.

    Returns:
        A row for each subject.
    """
    rows, calls = {}, {}
    for key, make in subjects.items():
        begun = time.perf_counter()
        subject = make()
        exact = subject.exact[subject.reaching].mean()
        cells = spread(subject.reaching, max(1, budget / exact / draws))
        calls[key] = functools.partial(subject.run, cells, draws)
        calls[key]()
        first = time.perf_counter() - begun
        rows[key] = dict(zip(("image", "region", "block", "layers"), key, strict=True)) | {
            "blocks": len(subject.reaching),
            "whole GMAC": subject.whole / _GIGA,
            "cone GMAC": exact / _GIGA,
            "draws": len(cells) * draws,
            "first s": first,
        }
    least = interleaved(calls, rounds)
    for key, row in rows.items():
        row["sweep /s"] = row["draws"] / least[key]
        row["first s"] -= least[key]
    return list(rows.values())
