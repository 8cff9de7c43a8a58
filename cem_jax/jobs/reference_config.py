"""The configuration files of the paper's code as jobs (`docs/reference-code.md`)."""

import functools
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from cem_jax import models
from cem_jax.grid import ROI, Grid
from cem_jax.jobs.job import Job, MapOf
from cem_jax.network.network import Network
from cem_jax.network.zoo import load
from cem_jax.plain_text import quoted, reason, shortened, visible
from cem_jax.plans.coarse_to_fine import CoarseToFine
from cem_jax.pool.pool import PatchPool
from cem_jax.scene.image import image_size, open_image
from cem_jax.scene.scene import Scene

CHECKPOINTS = Path("CEM_Demo/ModelZoo/models")
"""Where the paper's code keeps its checkpoints, beside the configuration."""

_NEEDED = {
    "task": str, "sr": int, "Modellist": list, "Imagelist": list, "TextImg_path": str,
    "patch_path": str, "w": int, "h": int, "ROI_size": int, "mask_block_size": int,
    "coarse_num": int, "fine_num": int, "tol": (int, float),
}  # fmt: skip
_WITHOUT_MEANING = ("batch_size_dict", "load_previous", "prefix")


def read_reference_config(path: str | Path, checkpoints: str | Path | None = None) -> Job:
    """Reads a `.yml` file of the paper's code; the paths in it are relative to it.

    Scores are of 8-bit outputs, noise has sigma 50 and seed 0, and the seed of the rain is the
    number in the photograph's name, as there. `batch_size_dict`, `load_previous` and `prefix` have
    no meaning here: batches find their size, and a job always resumes.

    Args:
        path: the file.
        checkpoints: folder with the official checkpoints; None takes `CEM_Demo/ModelZoo/models`
            beside the file. A network without one there has its bundled weights.

    Returns:
        A job with a map for every network and photograph, labelled as in the file.

    Raises:
        ValueError: the message names the file, the key and what is accepted.
    """
    path = Path(path)
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError, yaml.YAMLError) as error:
        raise ValueError(f"{path}: cannot be read: {reason(error)}") from error
    try:
        _check(found)
        weights = path.parent / CHECKPOINTS if checkpoints is None else Path(checkpoints)
        return _job(found, path.parent.absolute(), weights.absolute())
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def _check(found: Any) -> None:
    """All keys are there, known and of the right kind."""
    if not isinstance(found, dict):
        raise ValueError("expected keys and values")
    missing = [key for key in _NEEDED if key not in found]
    unknown = [key for key in found if key not in _NEEDED and key not in _WITHOUT_MEANING]
    if missing or unknown:
        parts = [("missing", missing), ("unknown", unknown)]
        said = "; ".join(f"{what} {', '.join(map(str, keys))}" for what, keys in parts if keys)
        raise ValueError(shortened(visible(said), 300))
    for key, kind in _NEEDED.items():
        if not isinstance(found[key], kind) or isinstance(found[key], bool):
            named = {str: "a text", int: "a whole number", list: "a list"}.get(kind, "a number")
            raise ValueError(f"{key}: {quoted(found[key])}: expected {named}")
    for key in ("Modellist", "Imagelist"):
        if not found[key] or not all(isinstance(name, str) for name in found[key]):
            raise ValueError(f"{key}: {quoted(found[key])}: expected a list of names")
    if found["task"] not in ("SR", "DN", "DR"):
        raise ValueError(f"task: {quoted(found['task'])}: expected SR, DN, DR")


def _job(found: Mapping[str, Any], folder: Path, checkpoints: Path) -> Job:
    side, block = found["ROI_size"], found["mask_block_size"]
    region = ROI(found["h"], found["w"], side, side)
    networks = {name: _network(name, found, checkpoints) for name in found["Modellist"]}
    scenes: dict[str, Callable[[], Scene]] = {}
    for name in found["Imagelist"]:
        image = folder / found["TextImg_path"] / str(name)
        scale = found["sr"]
        height, width = (length // scale for length in image_size(image))
        region.check(height * scale, width * scale, scale)
        Grid.make(height, width, block, scale)
        scenes[name] = functools.partial(_scene, found["task"], image, scale, _seed(found, name))
    maps = [MapOf(network, scene, region) for network in networks for scene in scenes]
    return Job(
        networks, scenes, maps,
        pool=_pool(folder / found["patch_path"], block), block=block, rounded=True,
        plan=CoarseToFine(found["coarse_num"], found["fine_num"], float(found["tol"])),
    )  # fmt: skip


def _network(name: str, found: Mapping[str, Any], checkpoints: Path) -> Callable[[], Network]:
    facts = models.describe(name)
    if found["task"] not in facts.tasks or facts.scale != found["sr"]:
        raise ValueError(
            f"Modellist: {name} does {'/'.join(facts.tasks)} at scale {facts.scale}; "
            f"task: {found['task']}, sr: {found['sr']}"
        )
    files = [checkpoints / file for file in facts.official_files]
    there = next((file for file in files if file.exists()), None)
    if there is None and not facts.bundled:
        raise ValueError(
            f"Modellist: {name} needs {' or '.join(facts.official_files) or 'a checkpoint'} "
            f"in {checkpoints}"
        )
    return functools.partial(load, name, there, label=name)


def _seed(found: Mapping[str, Any], name: str) -> int:
    """The seed of the noise, or of the rain: the first number in the photograph's name."""
    if found["task"] != "DR":
        return 0
    number = re.search(r"\d+", name)
    if number is None:
        raise ValueError(f"Imagelist: {quoted(name)} has no number, which is the seed of its rain")
    return int(number[0])


def _scene(task: str, file: Path, scale: int, seed: int) -> Scene:
    image = open_image(file)
    if task == "SR":
        return Scene.super_resolution(image, scale) if scale > 1 else Scene.preupsampled(image)
    return (Scene.denoising if task == "DN" else Scene.deraining)(image, seed=seed)


def _pool(folder: Path, block: int) -> Callable[[], PatchPool]:
    """How the pool is loaded; tried now, since all maps need it."""
    _read_pool(folder, block)
    return functools.partial(_read_pool, folder, block)


def _read_pool(folder: Path, block: int) -> PatchPool:
    """All patches of a folder, one to a file, in the order of their names."""
    patches = [open_image(file) for file in sorted(folder.glob("*.png"))]
    if not patches:
        raise ValueError(f"patch_path: {quoted(str(folder))} holds no .png")
    for patch in patches:
        if patch.shape != (block, block, 3) or patch.dtype != np.uint8:
            raise ValueError(
                f"patch_path: a patch of {patch.shape[0]} x {patch.shape[1]} pixels; expected "
                f"mask_block_size: {block} of 8 bits"
            )
    return PatchPool(np.stack(patches), folder.name)
