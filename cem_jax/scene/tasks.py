"""Scenes by the names of their tasks, as the command line and job files take them."""

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any

from cem_jax.arguments import truth
from cem_jax.plain_text import quoted
from cem_jax.scene.degrade.bicubic import Reduce
from cem_jax.scene.degrade.blur import Blur
from cem_jax.scene.degrade.haze import Haze
from cem_jax.scene.degrade.jpeg import Jpeg, Subsampling
from cem_jax.scene.degrade.low_light import LowLight
from cem_jax.scene.degrade.noise import Noise, PoissonGaussian
from cem_jax.scene.degrade.step import Degradation
from cem_jax.scene.scene import Scene


def _noisy(
    clean: object, sigma: float = 50 / 255, seed: int = 0, grey_noise: bool = False, name: str = ""
) -> Scene:
    if not truth("grey_noise", grey_noise):
        return Scene.denoising(clean, sigma, seed, name=name)
    scene = Scene.degraded_by(clean, [Noise(sigma, grey=True)], seed, task="DN", name=name)
    return dataclasses.replace(scene, facts={**scene.facts, "sigma": float(sigma)})


def _photons(
    clean: object, photons: float = 100.0, sigma: float = 0.01, seed: int = 0, name: str = ""
) -> Scene:
    steps = [PoissonGaussian(photons, sigma)]
    return Scene.degraded_by(clean, steps, seed, task="photon noise", name=name)


def _rainy(
    clean: object,
    seed: int = 0,
    kind: str = "medium",
    angle: float | None = None,
    name: str = "",
) -> Scene:
    return Scene.deraining(clean, seed, kind=kind, angle=angle, name=name)


def _and_then(step: Degradation, scale: int, noise: float) -> list[Degradation]:
    """A step, then the image reduced and noisy, where that is asked for."""
    steps = [step]
    steps += [Reduce(scale)] if scale != 1 else []
    return [*steps, Noise(noise)] if noise else steps


def _blurred(
    clean: object,
    blur: float = 2.0,
    scale: int = 1,
    noise: float = 0.0,
    seed: int = 0,
    name: str = "",
) -> Scene:
    steps = _and_then(Blur.gaussian(blur), scale, noise)
    return Scene.degraded_by(clean, steps, seed, task="blur", name=name)


def _shaken(
    clean: object,
    length: float = 15.0,
    angle: float = 0.0,
    scale: int = 1,
    noise: float = 0.0,
    seed: int = 0,
    name: str = "",
) -> Scene:
    steps = _and_then(Blur.motion(length, angle), scale, noise)
    return Scene.degraded_by(clean, steps, seed, task="motion blur", name=name)


def _coded(
    clean: object, quality: int = 10, subsampling: Subsampling = "4:2:0", name: str = ""
) -> Scene:
    return Scene.degraded_by(clean, [Jpeg(quality, subsampling)], task="JPEG", name=name)


def _hazy(
    clean: object,
    light: float = 0.9,
    depth: float = 0.25,
    slope: float = 0.1,
    angle: float = 90.0,
    noise: float = 0.02,
    seed: int = 0,
    name: str = "",
) -> Scene:
    steps = _and_then(Haze(light, depth, slope, angle), 1, noise)
    return Scene.degraded_by(clean, steps, seed, task="haze", name=name)


def _dark(
    clean: object,
    gamma: float = 1.35,
    light: float = 0.85,
    noise: float = 0.02,
    seed: int = 0,
    name: str = "",
) -> Scene:
    steps = _and_then(LowLight(gamma, light), 1, noise)
    return Scene.degraded_by(clean, steps, seed, task="low light", name=name)


TASKS: dict[str, Callable[..., Scene]] = {
    "SR": Scene.super_resolution,
    "DN": _noisy,
    "DR": _rainy,
    "preupsampled": Scene.preupsampled,
    "photon noise": _photons,
    "blur": _blurred,
    "motion blur": _shaken,
    "JPEG": _coded,
    "haze": _hazy,
    "low light": _dark,
}
"""How a task's scenes are made. The defaults of haze and low light are the middle of what the
bundled networks of seven tasks are trained on."""

_IN_LEVELS = ("sigma", "noise")
"""Arguments that command line and job files give in grey levels of 255, as the field does."""


def task_names() -> tuple[str, ...]:
    """The tasks that `make_scene` knows.

    Returns:
        Their names.
    """
    return tuple(TASKS)


def find_task(name: object) -> str:
    """The task's name as it is written here.

    Args:
        name: in any case, with blanks, hyphens or underscores between words.

    Raises:
        ValueError: there is no such task.
    """
    known = {_plain(one): one for one in TASKS}
    if not isinstance(name, str) or _plain(name) not in known:
        raise ValueError(f"task={quoted(name)}: expected {', '.join(TASKS)}")
    return known[_plain(name)]


def task_arguments(name: str) -> dict[str, Any]:
    """What can be said of a task's scenes, with the defaults.

    Args:
        name: of the task.

    Raises:
        ValueError: there is no such task.
    """
    taken = inspect.signature(TASKS[find_task(name)]).parameters
    return {key: one.default for key, one in taken.items() if key not in ("clean", "name")}


def make_scene(task_name: str, clean: object, **arguments: Any) -> Scene:
    """A scene by its task's name.

    Args:
        task_name: one of `task_names()`, in any case: "JPEG", "low light" or "low-light".
        clean: uint8 or floating in [0, 1], [H, W, 3], or grey [H, W, 1] or [H, W].
        **arguments: of the task, see `docs/scenes.md`; `name` is what the scene is called.

    Raises:
        ValueError: there is no such task or argument, or its value is out of range.

    Examples:
        >>> import cem_jax as cem
        >>> scene = cem.make_scene("jpeg", cem.example_image("dog"), quality=20)
        >>> scene.task, scene.facts["steps"]
        ('JPEG', ["Jpeg(quality=20, subsampling='4:2:0')"])
    """
    task = find_task(task_name)
    known = task_arguments(task)
    for key in arguments:
        if key not in known and key != "name":
            raise ValueError(f"{key}={quoted(arguments[key])}: {task} takes {', '.join(known)}")
    return TASKS[task](clean, **arguments)


def from_levels(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Arguments as command lines and job files give them, for `make_scene`.

    Args:
        arguments: standard deviations of noise in grey levels of 255.
    """
    return {
        key: value / 255 if key in _IN_LEVELS and isinstance(value, int | float) else value
        for key, value in arguments.items()
    }


def scene_for(
    scale: int,
    task_name: str,
    clean: object,
    shared: Mapping[str, Any],
    about: Mapping[str, Any],
    name: str,
) -> Scene:
    """The scene of a task on a photograph, for a network of a scale.

    Args:
        scale: of the network; the scene follows it, so that networks of scale 1 get the reduced
            photograph enlarged again.
        task_name: the task.
        clean: the photograph.
        shared: what any task may be told, as on the command line; what it does not take is left
            out, and "sigma" is of DN alone.
        about: what this task is told, as on the command line.
        name: what the scene is called.

    Raises:
        ValueError: as `make_scene`.
    """
    task = find_task(task_name)
    if task == "SR" and scale == 1:
        task = "preupsampled"
    known = task_arguments(task)
    told = {key: value for key, value in shared.items() if key in known}
    if task != "DN":
        told.pop("sigma", None)
    if "scale" in known and scale != 1:
        told["scale"] = scale
    return make_scene(task, clean, name=name, **from_levels(told | dict(about)))


def _plain(name: str) -> str:
    return "".join(part for part in name.lower() if part not in " -_")
