"""What a sweep computes for an intervention, decided by its cost before anything runs.

That is the causal cone of every block, or the network on every changed image, cut to what a
declared receptive radius needs.
"""

import dataclasses
import functools
import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar, cast

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Bool, Float32, Int

from cem_jax import cone as cones
from cem_jax.grid import ROI, Crop, Grid
from cem_jax.network.network import Apply, Network
from cem_jax.network.zoo import has_known_facts
from cem_jax.outcome import Outcome
from cem_jax.scene.scene import Scene
from cem_jax.sweep import kept
from cem_jax.sweep.dense import DenseProgram
from cem_jax.sweep.facts import check_output, named_errors
from cem_jax.sweep.programs import room
from cem_jax.sweep.score import Score

_ACCELERATOR = 64.0
"""How many times a CPU's speed the devices are taken to have where many blocks share a call."""

_RESTRICTED = 0.8
"""Share of a network's work below which the region's own part of it gets a program of its own."""


_KEPT = 2 / 3
"""Share of the room on a device that baseline arrays may take: making them takes twice as much."""


def _coarse(size: float) -> float:
    """A size rounded down by less than an eighth: devices that tell nearly the same share plans."""
    grain = 2.0 ** (math.floor(math.log2(size)) - 3)
    return size // grain * grain


@functools.lru_cache(maxsize=16)
def _plan(
    apply: Apply, tree: Any, leaves: tuple[Any, ...], shape: tuple[int, ...],
    roi: tuple[int, int, int, int], block: int, origins: bytes, draws: tuple[int, int],
    speed: float, memory: float,
) -> tuple[cones.ConePlan, str | None]:  # fmt: skip
    """Cones planned once for all images, parameters and, where crops agree, regions.

    Returns:
        The plan, and a name that tells it from all others; None if there is none, or no use for it.
    """
    params = jax.tree.unflatten(tree, leaves)
    function = functools.partial(apply, None) if params is None else apply
    places = np.frombuffer(origins, np.int64).reshape(-1, 2)

    def made() -> cones.ConePlan:
        return cones.plan(
            function, shape, roi, block, origins=places, params=params, draws=draws, speed=speed,
            memory=memory,
        )  # fmt: skip

    parts = ("plan", shape, roi, block, origins, draws, speed, memory)
    return found_or_made(apply, params, shape, places, parts, made)


Made = TypeVar("Made", cones.ConePlan, cones.ConePlan | None)


def found_or_made(
    apply: Apply,
    params: Any,
    shape: tuple[int, ...],
    places: np.ndarray,
    parts: tuple[Any, ...],
    make: Callable[[], Made],
) -> tuple[Made, str | None]:
    """A plan of a network that was kept, or a new one that is kept then.

    Args:
        apply: of the network.
        params: their shapes.
        shape: of the image.
        places: first row and column of each block, int64 [blocks, 2].
        parts: what the plan depends on besides.
        make: plans anew.

    Returns:
        The plan, and a name that tells it from all others; None if there is none, or no use for it.
    """
    if kept.folder() is None:
        return make(), None
    image = jax.ShapeDtypeStruct(shape, jnp.float32)
    flat, whole = jax.tree.flatten((params, image))
    own = kept.fingerprint(apply, whole, tuple(flat))
    if own is None:
        return make(), None
    name = kept.name_of(own, *parts)
    plan: Any = kept.read_plan(name, places, make)  # type: ignore[arg-type]
    if plan is None:
        plan = make()
        if plan is not None:
            kept.write_plan(name, plan)
    return cast(Made, plan), name


def mixes_blocks(chunk: int | None, most: int, devices: int) -> bool:
    """Whether a device's part of a chunk holds interventions at any blocks that share a program.

    On a CPU it holds draws of one block: its caches hold few feature maps, and slices at a place
    for each draw become gathers, which are slow there. Other devices want many at once, more than
    a block has draws; so does who asks for larger chunks than that.

    Args:
        chunk: interventions asked for in one call; None leaves it to the backend.
        most: draws that a block may get.
        devices: parts of a chunk.
    """
    if chunk is None:
        return jax.default_backend() != "cpu"
    return jax.default_backend() != "cpu" or -(-chunk // devices) > most


@dataclasses.dataclass(frozen=True, eq=False)
class Layout:
    """A network, a scene and one or more regions, and what is to be computed for them.

    Args:
        network: the network.
        scene: clean image and input.
        rois: the regions, in output pixels; several are scored in one restored image.
        grid: the blocks of the input.
        score: what becomes of what is restored.
        margin: input pixels by which what is written exceeds a block, on every side.
        draws: interventions expected at blocks far from a region, and near it.
        mixed: whether interventions at many blocks share a call, see `mixes_blocks`; then there are
            fewer programs.
        crop: the part of the input that is computed, around all regions.
        place: the blocks that were planned for, int [n], row * columns + column.
        plan: their cones.
        reach: which blocks can reach a region, bool [rows, columns]; the effect of the others is
            exactly zero.
        name: what tells the plan from all others, in any process; None if nothing does.
    """

    network: Network
    scene: Scene
    rois: tuple[ROI, ...]
    grid: Grid
    score: Score
    margin: int
    draws: tuple[int, int]
    mixed: bool
    crop: Crop
    place: Int[np.ndarray, " n"]
    plan: cones.ConePlan
    reach: Bool[np.ndarray, "rows columns"]
    name: str | None

    @classmethod
    def make(
        cls,
        network: Network,
        scene: Scene,
        rois: Sequence[ROI],
        grid: Grid,
        wanted: Bool[np.ndarray, "rows columns"],
        finish: Callable[[jax.Array], jax.Array],
        outcomes: Sequence[Outcome],
        *,
        margin: int = 0,
        draws: tuple[int, int] = (3, 53),
        mixed: bool | None = None,
    ) -> "Layout":
        """Plans a sweep.

        Args:
            network: the network.
            scene: clean image and input.
            rois: the regions, in output pixels.
            grid: the blocks of the input.
            wanted: blocks that may be asked for, bool [rows, columns].
            finish: what happens to the restored pixels before they are scored.
            outcomes: the scores of each region.
            margin: input pixels by which what is written exceeds a block, on every side.
            draws: interventions expected at blocks far from a region, and near it.
            mixed: whether interventions at many blocks share a call; None takes what suits the
                backend.

        Raises:
            ValueError: the network's output does not have the scene's size, or an outcome is no
                scalar.
        """
        h, w, c = scene.degraded.shape
        score = Score(finish, tuple(outcomes), tuple((roi.height, roi.width) for roi in rois))
        score.check(c, scene.scale)
        roi = ROI.around(rois)
        crop = Crop.make(h, w, roi, scene.scale, network.receptive_radius, network.anchor)
        check_output(network, scene, crop.height, crop.width)
        part = ROI(crop.top, crop.left, crop.height, crop.width)
        place = np.flatnonzero(wanted & grid.near(part, margin))
        origins = np.stack(np.divmod(place, grid.columns), axis=1) * grid.block
        origins -= (crop.top + margin, crop.left + margin)
        leaves, tree = jax.tree.flatten(network.params)
        like = tuple(jax.ShapeDtypeStruct(np.shape(a), jnp.result_type(a)) for a in leaves)
        inner = crop.roi
        mixed = mixes_blocks(None, draws[1], 1) if mixed is None else mixed
        shape = (1, crop.height, crop.width, c)
        with named_errors(network, shape):
            plan, name = _plan(
                network.apply, tree, like, shape, (inner.y, inner.x, inner.height, inner.width),
                grid.block + 2 * margin, origins.astype(np.int64).tobytes(), draws,
                _ACCELERATOR if mixed else 1.0, _coarse(_KEPT * room(jax.local_devices()[0], 1)),
            )  # fmt: skip
        reach = np.zeros(grid.shape, bool)
        reach.flat[place] = plan.program_of >= 0
        return cls(
            network, scene, tuple(rois), grid, score, margin, draws, mixed, crop, place, plan,
            reach, name,
        )  # fmt: skip

    @property
    def work(self) -> cones.MultiplyAdds:
        """Multiply-adds."""
        return self.plan.multiply_adds

    @property
    def dense(self) -> bool:
        """Whether the network is run on every changed image."""
        return self.plan.dense or not self.reach.any()

    @property
    def cost(self) -> float:
        """Multiply-adds of one intervention at each block that reaches a region."""
        if self.dense:
            return self.work.crop * float(self.reach.sum())
        return float(self.work.programs[self.plan.program_of >= 0].sum())

    @property
    def frame(self) -> ROI:
        """What is scored: the rectangle around all regions, or all of the crop's output."""
        crop, scale = self.crop, self.scene.scale
        if self.dense and len(self.rois) > 1 and not self._saves:  # one program serves all regions
            return ROI(crop.top * scale, crop.left * scale, crop.height * scale, crop.width * scale)
        return ROI.around(self.rois)

    @property
    def _saves(self) -> bool:
        return self.work.crop < _RESTRICTED * self.work.dense

    @property
    def corner(self) -> tuple[int, int]:
        """First row and column of the frame in the crop's output."""
        frame, scale = self.frame, self.scene.scale
        return frame.y - self.crop.top * scale, frame.x - self.crop.left * scale

    @property
    def program(self) -> DenseProgram:
        """What is compiled where the network is run on every changed image."""
        frame = self.frame
        return DenseProgram(
            self.network.apply, self.grid.block + 2 * self.margin, (frame.height, frame.width),
            self.corner if self._saves else None, self.score,
        )  # fmt: skip

    @property
    def image(self) -> Float32[np.ndarray, "h w c"]:
        """The input's crop, float32 [h, w, c]."""
        crop = self.crop
        return self.scene.degraded[crop.top :, crop.left :][: crop.height, : crop.width]

    @property
    def note(self) -> str:
        """What is computed for an intervention, and what could lessen it, in sentences.

        They begin with the method and a colon.
        """
        if not self.reach.any():
            return "nothing: no block outside the region can reach it, so nothing is computed."
        method, _, why = self.plan.note.partition(": ")
        if self.dense:
            share = _percent(self.work.crop, self.work.dense)
            return (
                f"dense: every intervention computes {share} on {self._where}, because {why}."
                f"{self._advice}"
            )
        each = self.work.programs[self.plan.program_of >= 0]
        share = _percent(float(each.mean()), self.work.dense)
        most = _percent(float(each.max()), self.work.dense)
        return (
            f"{method}: on average an intervention computes {share} on {self._where}, and at most "
            f"{most}; {why}."
        )

    @property
    def _where(self) -> str:
        crop, (h, w, _) = self.crop, self.scene.degraded.shape
        if (crop.height, crop.width) == (h, w):
            return "the whole input"
        radius = self.network.receptive_radius
        return f"the {crop.height} x {crop.width} pixels that receptive_radius={radius} leaves"

    @property
    def _advice(self) -> str:
        if self.network.receptive_radius is not None:
            return " For a smaller region, or in a larger image, causal cones save more."
        if has_known_facts(self.network):  # which say that it sees the whole image
            return ""
        return " If the network is local, declare its receptive_radius to compute less."


def _percent(work: float, whole: float) -> str:
    """A share of a network's multiply-adds, in words."""
    return f"{100 * work / whole:.3g} % of the network" if whole else "no multiply-adds"
