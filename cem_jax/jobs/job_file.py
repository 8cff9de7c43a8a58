"""A job from a TOML file, checked as a whole before any work starts (see `docs/sweeps.md`)."""

import dataclasses
import functools
import glob
import inspect
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from cem_jax import models, outcome
from cem_jax.grid import ROI, Grid
from cem_jax.jobs.job import Job, MapOf, check_label
from cem_jax.network.network import Network
from cem_jax.network.zoo import load
from cem_jax.plans.adaptive import Adaptive
from cem_jax.plans.plan import CoarseToFine, Fixed, Plan
from cem_jax.plans.quadrature import Quadrature, Stratified
from cem_jax.pool.pool import PatchPool
from cem_jax.scene.examples import example_image, example_names
from cem_jax.scene.image import image_size, open_image
from cem_jax.scene.scene import Scene

_PLANS = {
    "coarse-to-fine": CoarseToFine, "fixed": Fixed, "adaptive": Adaptive,
    "stratified": Stratified, "quadrature": Quadrature,
}  # fmt: skip

_JOB = {"network": list, "scene": list, "plan": dict, "pool": str, "block": int, "seed": int,
        "outcomes": list, "rounded": bool}  # fmt: skip
_NETWORK = {"name": str, "weights": str, "part": str, "label": str, "arguments": dict}
_SCENE = {"task": str, "image": str, "example": str, "label": str, "rois": (list, dict),
          "scale": int, "factor": int, "sigma": (int, float), "seed": int}  # fmt: skip
_TASKS = {"SR": ("scale",), "DN": ("sigma", "seed"), "DR": ("seed",), "preupsampled": ("factor",)}
"""The keys that a task's scenes have beside the common ones."""


@dataclasses.dataclass(frozen=True)
class _Place:
    """Where in a file something stands, for messages."""

    text: str

    def at(self, key: str) -> "_Place":
        return _Place(f"{self.text}: {key}")

    def wrong(self, message: object) -> ValueError:
        return ValueError(f"{self.text}: {message}")

    def table(self, value: Any, keys: Mapping[str, Any]) -> dict[str, Any]:
        """A table with known keys of the right kinds."""
        if not isinstance(value, dict):
            raise self.wrong(f"{value!r}: expected a table")
        for key, found in value.items():
            if key not in keys:
                raise self.wrong(f"unknown key {key!r}; expected {', '.join(keys)}")
            kinds = keys[key] if isinstance(keys[key], tuple) else (keys[key],)
            if not isinstance(found, kinds) or (isinstance(found, bool) and bool not in kinds):
                named = " or ".join(_KINDS[kind] for kind in kinds)
                raise self.at(key).wrong(f"{found!r}: expected {named}")
        return value

    def checked(self, make: Callable[..., Any], *args: Any, **more: Any) -> Any:
        """What `make` returns; its complaint with the place in front."""
        try:
            return make(*args, **more)
        except ValueError as error:
            raise self.wrong(error) from error


_KINDS = {str: "a text", int: "a whole number", float: "a number", bool: "true or false",
          list: "a list", dict: "a table"}  # fmt: skip


def read_job(path: str | Path) -> Job:
    """Reads and checks a job's file; the paths in it are relative to it.

    Args:
        path: a TOML file, see `docs/sweeps.md`.

    Raises:
        ValueError: the message names file, table and key, and what is accepted.
    """
    path = Path(path)
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ValueError(f"{path}: cannot be read: {error}") from error
    file, folder = _Place(str(path)), path.parent
    found = file.table(found, _JOB)
    block, seed = found.get("block", 8), found.get("seed", 0)
    if seed < 0:
        raise file.at("seed").wrong(f"{seed}: expected at least 0")

    networks: dict[str, Callable[[], Network]] = {}
    suits: dict[str, tuple[tuple[str, ...], int]] = {}
    for place, table in _tables(file, found, "network"):
        label, make, tasks, scale = _network(place, table, folder)
        if label in networks:
            raise place.at("label").wrong(f"{label!r} is taken; give this network another label")
        networks[label], suits[label] = make, (tasks, scale)

    scenes: dict[str, Callable[[], Scene]] = {}
    maps: dict[str, list[MapOf]] = {label: [] for label in networks}
    for place, table in _tables(file, found, "scene"):
        task, scale, factor = _task(place, table)
        able = [label for label, suit in suits.items() if task in suit[0] and scale == suit[1]]
        if not able:
            raise place.at("task").wrong(f"no network of the file does {task} at scale {scale}")
        for label, image, read in _images(place, table, folder):
            if label in scenes:
                raise place.at("label").wrong(f"{label!r} is taken; give this scene another label")
            scenes[label] = functools.partial(_scene, table, read)
            height, width = (side // factor * factor for side in _sides(place, image))
            place.at("block").checked(Grid.make, height // factor, width // factor, block, factor)
            for roi in _regions(place.at("rois"), table.get("rois"), height, width):
                place.at("rois").checked(roi.check, height, width, scale)
                for network in able:
                    maps[network].append(MapOf(network, label, roi))
    for label, asked in maps.items():
        if not asked:
            raise file.wrong(f"network {label!r} suits no scene of the file: {suits[label]}")
    return file.checked(
        Job, networks, scenes, [one for asked in maps.values() for one in asked],
        pool=_pool(file.at("pool"), found.get("pool"), folder, block),
        block=block, plan=_plan(file.at("plan"), found.get("plan", {"kind": "coarse-to-fine"})),
        outcomes=_outcomes(file.at("outcomes"), found.get("outcomes", ["psnr"])),
        seed=seed, rounded=found.get("rounded", False),
    )  # fmt: skip


def _tables(file: _Place, found: Mapping[str, Any], name: str) -> list[tuple[_Place, Any]]:
    if not found.get(name):
        raise file.wrong(f"it has no [[{name}]]")
    return [(file.at(f"[[{name}]] {n}"), table) for n, table in enumerate(found[name], 1)]


def _network(
    place: _Place, table: Any, folder: Path
) -> tuple[str, Callable[[], Network], tuple[str, ...], int]:
    table = place.table(table, _NETWORK)
    weights, part, told = None, table.get("part"), table.get("arguments", {})
    if "weights" in table:
        weights = folder / table["weights"]
        if not weights.exists():
            raise place.at("weights").wrong(f"{str(weights)!r} does not exist")
    if "name" in table:
        name = table["name"]
    elif weights is not None:
        read = place.at("weights").checked(models.read_state_dict, weights, part)
        name = place.at("weights").checked(models.choose, read, **told)
    else:
        raise place.wrong("it has no name; see `cem-jax models`")
    facts = place.at("name").checked(models.describe, name)
    if weights is None and not facts.bundled:
        place.at("weights").checked(load, name)  # says which official file fits
    place.at("arguments").checked(models.check_arguments, name, told)
    label = table.get("label", name)
    place.at("label").checked(check_label, label)
    make = functools.partial(load, name, weights, part=part, label=label, **told)
    return label, make, facts.tasks, _scale(make, facts.scale, weights is None and not told)


def _scale(make: Callable[[], Network], usual: int, as_named: bool) -> int:
    """The scale of a network, which another file or an argument may change.

    A network that cannot be loaded is told with its maps.
    """
    if as_named:
        return usual
    try:
        return make().scale
    except ValueError:
        return usual


def _task(place: _Place, table: Any) -> tuple[str, int, int]:
    """Task and scale of the networks that a scene suits, and the factor of its reduction."""
    table = place.table(table, _SCENE)
    task = table.get("task")
    if task not in _TASKS:
        raise place.at("task").wrong(f"{task!r}: expected {', '.join(_TASKS)}")
    for other in {key for keys in _TASKS.values() for key in keys} - set(_TASKS[task]):
        if other in table:
            raise place.at(other).wrong(f"a scene of task {task} has none")
    scale, factor = table.get("scale", 4), table.get("factor", 4)
    for key, value, least in (
        ("scale", scale, 2), ("factor", factor, 2), ("seed", table.get("seed", 0), 0)
    ):  # fmt: skip
        if value < least:
            raise place.at(key).wrong(f"{value}: expected at least {least}")
    if not 0 <= table.get("sigma", 50) <= 2550:
        raise place.at("sigma").wrong(f"{table['sigma']}: expected grey levels of 255, 0 or more")
    if task == "preupsampled":
        return "SR", 1, factor
    return (task, scale, scale) if task == "SR" else (task, 1, 1)


def _images(
    place: _Place, table: Mapping[str, Any], folder: Path
) -> list[tuple[str, Any, Callable[[], Any]]]:
    """Label, size or file, and reader of a scene's images; a pattern stands for several."""
    if ("image" in table) == ("example" in table):
        raise place.wrong("expected either image, a file or a pattern such as photos/*.png, or "
                          f"example, one of {', '.join(example_names())}")  # fmt: skip
    found: list[tuple[str, Any, Callable[[], Any]]] = []
    if "example" in table:
        name = table["example"]
        image = place.at("example").checked(example_image, name)
        found.append((name, image.shape[:2], functools.partial(example_image, name)))
    else:
        pattern = folder / table["image"]
        files = [pattern] if pattern.exists() else sorted(map(Path, glob.glob(str(pattern))))
        if not files:
            raise place.at("image").wrong(f"{str(pattern)!r}: there is no such file")
        found += [(file.stem, file, functools.partial(open_image, file)) for file in files]
    if "label" in table:
        if len(found) > 1:
            raise place.at("label").wrong(f"one label for {len(found)} images")
        _, image, read = found[0]
        found = [(table["label"], image, read)]
    for label, *_ in found:
        place.at("label").checked(check_label, label)
    return found


def _sides(place: _Place, image: Any) -> tuple[int, int]:
    """Height and width, from the file's head alone."""
    if isinstance(image, tuple):
        return image
    return place.at("image").checked(image_size, image)


def _regions(place: _Place, found: Any, height: int, width: int) -> list[ROI]:
    """Listed regions, or all of a side that tile the image from its upper left corner."""
    if isinstance(found, dict):
        side = place.table(found, {"grid": int}).get("grid", 0)
        if not 1 <= side <= min(height, width):
            raise place.wrong(f"grid = {side}: expected 1 .. {min(height, width)} pixels")
        corners = [(y, x) for y in range(0, height - side + 1, side)
                   for x in range(0, width - side + 1, side)]  # fmt: skip
        return [ROI(y, x, side, side) for y, x in corners]
    for four in found or [None]:
        if not isinstance(four, list) or len(four) != 4:
            raise place.wrong(f"{four!r}: expected [[y, x, height, width], ...] or {{grid = 32}}")
    return [place.checked(ROI, *four) for four in found]


def _scene(table: Mapping[str, Any], read: Callable[[], Any]) -> Scene:
    if table["task"] == "SR":
        return Scene.super_resolution(read(), table.get("scale", 4))
    if table["task"] == "preupsampled":
        return Scene.preupsampled(read(), table.get("factor", 4))
    if table["task"] == "DN":
        return Scene.denoising(read(), table.get("sigma", 50) / 255, table.get("seed", 0))
    return Scene.deraining(read(), table.get("seed", 0))


def _pool(place: _Place, found: str | None, folder: Path, block: int) -> PatchPool | None:
    """The pool, of the right patch size; read now, since all maps need it."""
    if found is None:
        pool = place.checked(PatchPool.default, block)
    elif (folder / found).is_dir():
        pool = place.checked(PatchPool.from_images, folder / found, block)
    else:
        pool = place.checked(PatchPool.load, folder / found)
    if pool.size != block:
        raise place.wrong(f"its patches have {pool.size} x {pool.size} pixels; block = {block}")
    return None if found is None else pool


def _plan(place: _Place, found: Mapping[str, Any]) -> Plan:
    kind, rest = found.get("kind"), {key: found[key] for key in found if key != "kind"}
    if not isinstance(kind, str) or kind not in _PLANS:
        raise place.wrong(f"kind = {kind!r}: expected {', '.join(_PLANS)}")
    plan = _PLANS[kind]
    arguments = inspect.signature(plan).parameters
    needed = [key for key, one in arguments.items() if one.default is one.empty]
    rest = place.table(rest, dict.fromkeys(arguments, (int, float)))
    for key in needed:
        if key not in rest:
            raise place.wrong(f"{kind} needs {key}")
    return place.checked(plan, **rest)


def _outcomes(place: _Place, found: list[Any]) -> list[outcome.Outcome]:
    if not found or len(set(map(str, found))) < len(found):
        raise place.wrong(f"{found!r}: expected different names")
    for name in found:
        if not isinstance(name, str) or name not in outcome.NAMES:
            raise place.wrong(f"{name!r}: expected {', '.join(outcome.NAMES)}")
    return [outcome.NAMES[name] for name in found]
