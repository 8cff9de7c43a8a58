"""What options of the command line mean: regions, plans, tasks, names of networks."""

import math
import re
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

import typer

import cem_jax as cem
from cem_jax.cli.places import check_new_file
from cem_jax.plain_text import shortened, visible
from cem_jax.scene.roi_text import AUTO, EXPECTED, split_roi

MOST_SEED = 2**32 - 1
"""The largest seed that is told from all others."""


class Task(StrEnum):
    """What the network restores; the names of `cem.task_names`, which JAX is needed to ask for."""

    SR = "SR"
    DN = "DN"
    DR = "DR"
    preupsampled = "preupsampled"
    photon_noise = "photon-noise"
    blur = "blur"
    motion_blur = "motion-blur"
    JPEG = "JPEG"
    haze = "haze"
    low_light = "low-light"


def names_like(incomplete: str) -> list[str]:
    """The networks whose names begin so, for the shell's completion."""
    return [name for name in cem.models.names() if name.startswith(incomplete)]


MODEL = typer.Option(help="Name of the network; see `cem-jax models`.", autocompletion=names_like)


PICTURES = (".png", ".pdf", ".svg", ".jpg")


def picture_name(path: Path) -> Path:
    """A picture's file, whose ending says of what kind it is, before any work starts.

    Raises:
        ValueError: another ending, or a place where there can be no file.
    """
    if path.suffix.lower() not in PICTURES:
        raise ValueError(
            f"--out {visible(str(path))}: expected a file that ends in {', '.join(PICTURES)}"
        )
    check_new_file("--out", path)
    return path


PICTURE = typer.Option(help=f"The file to write: {', '.join(PICTURES)}.", callback=picture_name)


def level(value: float) -> float:
    """A noise level in grey levels of 255, of which NaN is none.

    Raises:
        ValueError: another number.
    """
    if not 0 <= value <= 255:
        raise ValueError(f"--sigma {value}: expected grey levels, 0 .. 255")
    return value


def end_of_colours(value: float | None) -> float | None:
    """An effect at which colours end, if one is given.

    Raises:
        ValueError: no finite number above 0.
    """
    if value is not None and not (math.isfinite(value) and value > 0):
        raise ValueError(f"--limit {value}: expected a number above 0")
    return value


def check_name(name: str) -> str:
    """A network's name, before anything slow is imported.

    Raises:
        ValueError: there is no such network; the nearest names are given.
    """
    cem.models.describe(name)
    return name


SET = typer.Option(
    "--set",
    help="What the weights do not show about the network, KEY=VALUE; see `cem-jax models --json`. "
    "part=KEY is the wanted network of a file that holds several. May be repeated.",
)
FACTS = ("scale", "receptive_radius", "size_multiple")
"""What `--set` tells of a network that `--module` makes."""
_OWN = ("name", "weights", "label")
"""What `cem.load` itself calls its arguments, and options tell."""


def parse_set(texts: Sequence[str]) -> dict[str, int | float | str]:
    """What a network is told, from texts KEY=VALUE.

    Raises:
        ValueError: another form, or one key twice.
    """
    found: dict[str, int | float | str] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key.isidentifier() and equals and value) or key in (*found, *_OWN):
            raise ValueError(f"--set {_given(text)}: expected KEY=VALUE, every key once")
        found[key] = value if key == "part" else _number(value)
    return found


def _number(text: str) -> int | float | str:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _given(text: str) -> str:
    return repr(shortened(visible(text), 60))


SCENE_SET = typer.Option(
    "--scene", help="An argument of the task, KEY=VALUE; see docs/scenes.md. May be repeated."
)


def parse_scene(texts: Sequence[str]) -> dict[str, Any]:
    """What a scene is told, from texts KEY=VALUE; noise in grey levels of 255.

    Raises:
        ValueError: another form, or one key twice.
    """
    found: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not (key.isidentifier() and equals and value) or key in (*found, "clean", "name"):
            raise ValueError(f"--scene {_given(text)}: expected KEY=VALUE, every key once")
        found[key] = {"true": True, "false": False}.get(value.lower(), _number(value))
    return found


def check_roi(text: str | None, image: Path) -> str:
    """A region's text, before anything slow is imported; the image has not been read yet.

    Raises:
        ValueError: another text, or none.
    """
    if text is None:
        from cem_jax.scene.image import image_size

        height, width = image_size(image)
        side = min(32, height, width)
        middle = f"{(height - side) // 2},{(width - side) // 2},{side},{side}"
        raise ValueError(
            f"--roi is needed, a region of the image of {height} x {width} pixels: {EXPECTED}; "
            f"--roi {AUTO} is where it has most structure, --roi {middle} its middle, and "
            f"`cem-jax look {visible(str(image))}` shows it with a grid"
        )
    try:
        split_roi(text)
    except ValueError as error:
        raise ValueError(f"--roi {_given(text)}: {str(error).split(': ', 1)[1]}") from error
    return text


SCORES = ("psnr", "psnr_y", "ssim", "negative_mse", "negative_l1", "removal", "background")
"""Outcomes by their names; here, because the functions themselves need JAX."""
OUTCOME_HELP = f"The score whose change is mapped: {', '.join(SCORES)}, or these with -crop4"


def check_outcome(text: str) -> str:
    """The name of an outcome.

    Raises:
        ValueError: another name.
    """
    name, crop, border = text.partition("-crop")
    bordered = re.fullmatch("[1-9][0-9]{0,3}", border) and name not in SCORES[-2:]
    if name not in SCORES or (crop and not bordered):
        raise ValueError(
            f"--outcome {_given(text)}: expected {', '.join(SCORES)}; all but the last two also "
            "with -crop4"
        )
    return text


PLAN_HELP = (
    "coarse-to-fine[:COARSE,FINE], adaptive[:MOST], corrected:PLAN, fixed:N, quadrature:N "
    "or stratified:N"
)


def parse_plan(text: str) -> "cem.Plan":
    """A plan from its name and its numbers of draws; see `docs/plans.md`.

    Raises:
        ValueError: another name, or numbers that do not fit it.
    """
    from cem_jax.plans.names import as_plan

    try:
        return as_plan(text)
    except ValueError as error:
        raise ValueError(str(error).replace("plan=", "--plan ", 1)) from error


def parse_time(text: str) -> float:
    """Seconds from a text such as 3h50m.

    Raises:
        ValueError: another text.
    """
    found = re.fullmatch(r"(?:([0-9]{1,6})h)?(?:([0-9]{1,6})m)?(?:([0-9]{1,9})s)?", text)
    hours, minutes, seconds = (int(part or 0) for part in found.groups()) if found else (0, 0, 0)
    total = 3600 * hours + 60 * minutes + seconds
    if not total:
        raise ValueError(f"--for {_given(text)}: expected a time such as 3h50m, 90m or 45s")
    return total
