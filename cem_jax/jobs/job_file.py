"""A job from a TOML file, checked as a whole before any work starts (see `docs/sweeps.md`)."""

import functools
import glob
import inspect
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from cem_jax.grid import ROI, Grid
from cem_jax.jobs.job import Job, MapOf, check_label
from cem_jax.jobs.network_table import read_network
from cem_jax.jobs.tables import Place, tables
from cem_jax.network.network import Network
from cem_jax.outcome import NAMES, Outcome, as_outcome
from cem_jax.plain_text import quoted, reason, visible
from cem_jax.plans.names import PLANS, as_plan
from cem_jax.plans.plan import Plan
from cem_jax.pool.pool import PatchPool
from cem_jax.scene.examples import example_image, example_names
from cem_jax.scene.image import image_size, open_image, to_grey
from cem_jax.scene.pairs import Meaning, meaning_of
from cem_jax.scene.regions import parse_roi
from cem_jax.scene.scene import Scene
from cem_jax.scene.tasks import TASKS, find_task, from_levels, make_scene, task_arguments
from cem_jax.store.objects import AnyPath, ObjectPath, absolute, as_place, joined, local_folder

_JOB = {"network": list, "scene": list, "plan": (dict, str), "pool": str, "block": int, "seed": int,
        "outcomes": list, "rounded": bool, "through": (str, list)}  # fmt: skip
_COMMON = {"task": str, "image": str, "example": str, "label": str, "rois": (list, dict),
           "degraded": str, "do": str, "grey": bool}  # fmt: skip
_KNOWN = ("SR", "DN", "DR")
"""Tasks by which networks are told apart; others are tried with every network of their scale."""


def _kinds(default: Any) -> Any:
    """What a task's argument may be, by its default."""
    return (int, float) if default is None or isinstance(default, float) else type(default)


_TASKS = {task: {key: _kinds(default) for key, default in task_arguments(task).items()}
          for task in TASKS}  # fmt: skip
"""The keys that a task's scenes have beside the common ones."""
_SCENE = _COMMON | {key: kinds for keys in _TASKS.values() for key, kinds in keys.items()}


def read_job(path: str | AnyPath, *, skipped: Callable[[str], None] | None = None) -> Job:
    """Reads and checks a job's file; the paths in it are relative to it.

    Args:
        path: a TOML file, see `docs/sweeps.md`.
        skipped: is told of every photograph that cannot be read or does not fit, which is then left
            out; None refuses the file for it.

    Raises:
        ValueError: the message names file, table and key, and what is accepted.
    """
    path = as_place(path)
    try:
        if isinstance(path, Path) and path.exists() and not (path.is_file() or path.is_fifo()):
            raise ValueError("it is no file")
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise ValueError(f"{visible(str(path))}: cannot be read: {reason(error)}") from error
    file, folder = Place(visible(str(path))), absolute(path.parent)
    found = file.table(found, _JOB)
    block, seed = found.get("block", 8), found.get("seed", 0)
    if seed < 0:
        raise file.at("seed").wrong(f"{seed}: expected at least 0")

    networks: dict[str, Callable[[], Network]] = {}
    suits: dict[str, tuple[tuple[str, ...], int]] = {}
    for place, table in tables(file, found, "network"):
        label, make, tasks, scale = read_network(place, table, folder)
        if label in networks:
            taken = f"{quoted(label)} is taken; give this network another label"
            raise place.at("label").wrong(taken)
        networks[label], suits[label] = make, (tasks, scale)

    scenes: dict[str, Callable[[], Scene]] = {}
    maps: dict[str, list[MapOf]] = {label: [] for label in networks}
    for place, table in tables(file, found, "scene"):
        task, scale, factor = _task(place, table)
        for label, image, make, pair in _images(place, table, folder):
            if label in scenes:
                taken = f"{quoted(label)} is taken; give this scene another label"
                raise place.at("label").wrong(taken)
            kind = task, scale, factor
            try:
                sides = _sides(place, image)
                if pair is not None:
                    ratio = place.at("degraded").checked(_ratio, sides, _sides(place, pair))
                    kind = task, ratio, ratio
                asked = _asked(place, table, make, label, kind, block, sides, suits)
            except _UnfitError as error:
                raise error.problem from error
            except ValueError as error:
                if skipped is None or not isinstance(image, AnyPath):
                    raise
                skipped(f"{image} is left out: {error}")
                continue
            scenes[label] = make
            for one in asked:
                maps[one.network].append(one)
    for label, asked in maps.items():
        if not asked:
            raise file.wrong(f"network {quoted(label)} suits no scene of the file: {suits[label]}")
    return file.checked(
        Job, networks, scenes, [one for asked in maps.values() for one in asked],
        pool=_pool(file.at("pool"), found.get("pool"), folder, block),
        block=block, plan=_plan(file.at("plan"), found.get("plan", {"kind": "coarse-to-fine"})),
        outcomes=_outcomes(file.at("outcomes"), found.get("outcomes", ["psnr"])),
        seed=seed, rounded=found.get("rounded", False),
        through=_through(file.at("through"), found),
    )  # fmt: skip


class _UnfitError(Exception):
    """A complaint about the file, not about a photograph of it."""

    def __init__(self, problem: ValueError):
        super().__init__(str(problem))
        self.problem = problem


def _asked(
    place: Place, table: Mapping[str, Any], make: Callable[[], Scene], label: str,
    kind: tuple[str, int, int], block: int, sides: tuple[int, int],
    suits: Mapping[str, tuple[tuple[str, ...], int]],
) -> list[MapOf]:  # fmt: skip
    """The maps of one scene, by network."""
    task, scale, factor = kind
    able = [
        network
        for network, (tasks, own) in suits.items()
        if scale == own and (task in tasks or task not in _KNOWN)
    ]
    if not able:
        raise _UnfitError(
            place.at("task").wrong(f"no network of the file does {task} at scale {scale}")
        )
    height, width = (side // factor * factor for side in sides)
    place.at("block").checked(Grid.make, height // factor, width // factor, block, factor)
    regions = _regions(place.at("rois"), table.get("rois"), height, width, make)
    grid = place.at("block").checked(Grid.make, height // scale, width // scale, block, scale)
    for roi in regions:
        place.at("rois").checked(roi.check, height, width, scale)
        if grid.near(roi.in_input(scale), 0).all():
            raise place.at("rois").wrong(f"{roi}: it leaves no block of {block} pixels outside")
    return [MapOf(network, label, roi) for network in able for roi in regions]


def _task(place: Place, table: Any) -> tuple[str, int, int]:
    """Task and scale of the networks that a scene suits, and the factor of its reduction."""
    table = place.table(table, _SCENE)
    if "degraded" in table:
        for other in ("task", *sorted(_SCENE.keys() - _COMMON.keys())):
            if other in table:
                raise place.at(other).wrong("a scene with a degraded photograph has none")
        return "custom", 1, 1
    if "do" in table:
        raise place.at("do").wrong("it goes with degraded")
    task = place.at("task").checked(_named, table.get("task"))
    for other in sorted(_SCENE.keys() - _COMMON.keys() - _TASKS[task].keys()):
        if other in table:
            raise place.at(other).wrong(f"a scene of task {task} has none")
    least = 1 if task in ("blur", "motion blur") else 2
    usual = task_arguments(task)
    scale, factor = table.get("scale", usual.get("scale", 1)), table.get("factor", 4)
    for key, value, smallest in (
        ("scale", scale, least if "scale" in usual else 1), ("factor", factor, 2),
        ("seed", table.get("seed", 0), 0),
    ):  # fmt: skip
        place.at(key).checked(_within, value, smallest, _MOST[key])
    if not 0 <= table.get("sigma", 50) <= 255:
        raise place.at("sigma").wrong(f"{table['sigma']}: expected grey levels, 0 .. 255")
    if task not in (*_KNOWN, "preupsampled"):  # what else is out of range is told by a small scene
        side = 8 * scale
        place.checked(make_scene, task, np.zeros((side, side, 1), np.uint8), **_told(table))
    if task == "preupsampled":
        return "SR", 1, factor
    return task, scale, scale


_MOST = {"scale": 64, "factor": 64, "seed": 2**32 - 1}


def _within(value: int, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{quoted(value)}: expected {least} .. {most}")


def _named(task: Any) -> str:
    """A task as it is written in the registry; messages of files show the value alone."""
    try:
        return find_task(task)
    except ValueError as error:
        raise ValueError(str(error).removeprefix("task=")) from error


def _told(table: Mapping[str, Any]) -> dict[str, Any]:
    """What a scene is told beside its photograph."""
    return from_levels({key: table[key] for key in table if key not in _COMMON})


def _ratio(clean: tuple[int, int], degraded: tuple[int, int]) -> int:
    """Output pixels per input pixel of a pair."""
    scale = clean[0] // degraded[0]
    if scale < 1 or clean != tuple(scale * side for side in degraded):
        raise ValueError(f"it has {degraded} pixels; those of image, {clean}, must be a multiple")
    return scale


def _images(
    place: Place, table: Mapping[str, Any], folder: AnyPath
) -> list[tuple[str, Any, Callable[[], Scene], AnyPath | None]]:
    """Label, size or file, and maker of scenes; a pattern stands for several.

    With them goes the degraded photograph, if there is one.
    """
    if ("image" in table) == ("example" in table):
        raise place.wrong("expected either image, a file or a pattern such as photos/*.png, or "
                          f"example, one of {', '.join(example_names())}")  # fmt: skip
    grey, found = table.get("grey", False), []
    if "example" in table:
        if "degraded" in table:
            raise place.at("degraded").wrong("it goes with image")
        name = table["example"]
        image = place.at("example").checked(example_image, name)
        make = functools.partial(_scene, table, functools.partial(_example, name, grey))
        found.append((name, image.shape[:2], make, None))
    elif "degraded" in table:
        meaning = place.at("do").checked(meaning_of, table.get("do", ""), local_folder(folder))
        for file, pair in _pairs(place, table, folder):
            make = functools.partial(_pair_scene, file, pair, grey, meaning)
            found.append((file.stem, file, make, pair))
    else:
        for file in _files(place.at("image"), joined(folder, table["image"])):
            read = functools.partial(open_image, file, grey=grey)
            found.append((file.stem, file, functools.partial(_scene, table, read), None))
    if "label" in table:
        if len(found) > 1:
            raise place.at("label").wrong(f"one label for {len(found)} images")
        found = [(table["label"], *found[0][1:])]
    for label, *_ in found:
        place.at("label").checked(check_label, label)
    return found


def _files(place: Place, pattern: AnyPath) -> list[AnyPath]:
    """The files that a pattern stands for, sorted."""
    if isinstance(pattern, ObjectPath):
        found: list[AnyPath] = sorted(pattern.parent.glob(pattern.name))
    elif pattern.exists():
        found = [pattern]
    else:
        found = sorted(map(Path, glob.glob(str(pattern))))
    if not found:
        raise place.wrong(f"{quoted(str(pattern))}: there is no such file")
    return found


def _pairs(
    place: Place, table: Mapping[str, Any], folder: AnyPath
) -> list[tuple[AnyPath, AnyPath]]:
    """Clean and degraded photographs; of patterns, those whose names agree before the dot."""
    clean = _files(place.at("image"), joined(folder, table["image"]))
    degraded = _files(place.at("degraded"), joined(folder, table["degraded"]))
    if len(clean) == len(degraded) == 1:
        return [(clean[0], degraded[0])]
    by_name = {file.stem: file for file in degraded}
    for file in clean:
        if file.stem not in by_name:
            missing = f"none is named {quoted(file.stem)} as {quoted(str(file))} is"
            raise place.at("degraded").wrong(missing)
    return [(file, by_name[file.stem]) for file in clean]


def _example(name: str, grey: bool) -> Any:
    return to_grey(example_image(name)) if grey else example_image(name)


_MOST_REGIONS = 100_000


def _sides(place: Place, image: Any) -> tuple[int, int]:
    """Height and width, from the file's head alone."""
    if isinstance(image, tuple):
        return image
    return place.at("image").checked(image_size, image)


def _regions(
    place: Place, found: Any, height: int, width: int, make: Callable[[], Scene]
) -> list[ROI]:
    """Listed regions, or all of a side that tile the image from its upper left corner."""
    if isinstance(found, dict):
        side = place.table(found, {"grid": int}).get("grid", 0)
        if not 1 <= side <= min(height, width):
            raise place.wrong(f"grid = {side}: expected 1 .. {min(height, width)} pixels")
        if (height // side) * (width // side) > _MOST_REGIONS:
            raise place.wrong(f"grid = {side}: expected at most {_MOST_REGIONS} regions an image")
        corners = [(y, x) for y in range(0, height - side + 1, side)
                   for x in range(0, width - side + 1, side)]  # fmt: skip
        return [ROI(y, x, side, side) for y, x in corners]
    regions = []
    for one in found or [None]:
        if isinstance(one, str):  # of which the photograph must be seen
            regions.append(place.checked(parse_roi, one, place.checked(make)).roi)
        elif isinstance(one, list) and len(one) == 4:
            regions.append(place.checked(ROI, *one))
        else:
            raise place.wrong(
                f'{quoted(one)}: expected [[y, x, height, width], ...], ["auto"] or {{grid = 32}}'
            )
    return regions


def _scene(table: Mapping[str, Any], read: Callable[[], Any]) -> Scene:
    return make_scene(table["task"], read(), **_told(table))


def _pair_scene(clean: AnyPath, degraded: AnyPath, grey: bool, meaning: Meaning) -> Scene:
    return Scene.custom(open_image(clean, grey=grey), open_image(degraded, grey=grey), meaning)


def _pool(
    place: Place, found: str | None, folder: AnyPath, block: int
) -> Callable[[], PatchPool] | None:
    """How the pool is loaded, of the right patch size; tried now, since all maps need it."""
    if found is None:
        place.checked(PatchPool.default, block)
        return None
    if not found.strip():
        raise place.wrong("expected a file or a folder, found an empty text")
    where = joined(folder, found)
    if where.is_dir():
        load = functools.partial(PatchPool.from_images, where, block)
    else:
        load = functools.partial(PatchPool.load, where)
    pool = place.checked(load)
    if pool.size != block:
        raise place.wrong(f"its patches have {pool.size} x {pool.size} pixels; block = {block}")
    return load


def _plan(place: Place, found: Mapping[str, Any] | str) -> Plan:
    if isinstance(found, str):
        return place.checked(as_plan, found)
    kind, rest = found.get("kind"), {key: found[key] for key in found if key != "kind"}
    if not isinstance(kind, str) or kind not in PLANS:
        raise place.wrong(f"kind = {quoted(kind)}: expected {', '.join(PLANS)}")
    plan = PLANS[kind]
    arguments = inspect.signature(plan).parameters
    needed = [key for key, one in arguments.items() if one.default is one.empty]
    rest = place.table(rest, dict.fromkeys(arguments, (int, float)))
    for key in needed:
        if key not in rest:
            raise place.wrong(f"{kind} needs {key}")
    return place.checked(plan, **rest)


def _outcomes(place: Place, found: list[Any]) -> list[Outcome]:
    if not found or len(set(map(str, found))) < len(found):
        raise place.wrong(f"{quoted(found)}: expected different names")
    for name in found:
        if not isinstance(name, str):
            raise place.wrong(f"{quoted(name)}: expected {', '.join(NAMES)}")
    return [place.checked(_outcome, name) for name in found]


def _through(place: Place, found: Mapping[str, Any]) -> str | list[str] | None:
    """A mediator, as it is written; what operations it names, networks alone can tell."""
    asked = found.get("through")
    if asked is None:
        return None
    names = [asked] if isinstance(asked, str) else asked
    if not names or not all(isinstance(name, str) and name for name in names):
        raise place.wrong(f'{asked!r}: expected "global", or names of modules or operations')
    if len(found.get("outcomes", ["psnr"])) > 1:
        raise place.wrong("it goes with one outcome")
    return asked


def _outcome(name: str) -> Outcome:
    try:
        return as_outcome(name)
    except ValueError as error:
        raise ValueError(f"{quoted(name)}: expected {', '.join(NAMES)}, or psnr_y-crop4") from error
