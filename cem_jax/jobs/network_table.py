"""A job's networks: of the zoo by name, of a file of weights, or made by a function of the user."""

import functools
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from cem_jax import models
from cem_jax.arguments import whole_number
from cem_jax.jobs.job import check_label
from cem_jax.jobs.tables import Place
from cem_jax.network.factory import made_by
from cem_jax.network.network import Network
from cem_jax.network.zoo import load
from cem_jax.own_file import is_onnx, split_code
from cem_jax.plain_text import quoted
from cem_jax.store.objects import AnyPath, joined, local_copy, local_folder

KEYS = {"name": str, "weights": str, "part": str, "label": str, "arguments": dict, "module": str,
        "tasks": list}  # fmt: skip
_TASKS = ("SR", "DN", "DR")
_FACTS = {"scale": 1, "receptive_radius": 0, "size_multiple": 1}
"""What a function of the user is given as `arguments`, and the least of each."""


class Asked(NamedTuple):
    """A network that a job asks for.

    Args:
        label: what it is called in the results.
        make: loads it.
        tasks: whose scenes it gets.
        scale: output pixels per input pixel.
    """

    label: str
    make: Callable[[], Network]
    tasks: tuple[str, ...]
    scale: int


def read_network(place: Place, table: Any, folder: AnyPath) -> Asked:
    """A table `[[network]]`, checked.

    Args:
        place: where it stands.
        table: what stands there.
        folder: of the job's file, to which paths are relative.

    Raises:
        ValueError: the message names the place and what is accepted.
    """
    table = place.table(table, KEYS)
    found = _own(place, table, folder) if "module" in table else _of_the_zoo(place, table, folder)
    place.at("label").checked(check_label, found.label)
    return found


def _own(place: Place, table: Mapping[str, Any], folder: AnyPath) -> Asked:
    """A network that a function of the user makes."""
    for key in ("name", "weights", "part"):
        if key in table:
            raise place.at(key).wrong("a network with module has none")
    text = table["module"]
    where, function = text, Path(text).stem
    if not is_onnx(text):
        try:
            where, function = split_code(text)
        except ValueError as error:
            raise place.at("module").wrong(f"{quoted(text)}: {error}") from error
    if is_onnx(text) or where.endswith(".py"):
        file = local_folder(folder) / where
        if not file.is_file():
            raise place.at("module").wrong(f"{quoted(str(file))} does not exist")
        text = str(file) + text.removeprefix(where)
    tasks = _tasks(place, table)
    told = place.at("arguments")
    facts = told.table(table.get("arguments", {}), dict.fromkeys(_FACTS, int))
    for key, value in facts.items():
        told.checked(whole_number, key, value, _FACTS[key])
    label = table.get("label", function)
    make = functools.partial(made_by, text, label=label, **facts)
    return Asked(label, make, tasks, _scale(make, facts.get("scale", 1)))


def _tasks(place: Place, table: Mapping[str, Any]) -> tuple[str, ...]:
    """The tasks of a network that says nothing of them itself."""
    tasks = table.get("tasks", list(_TASKS))
    if not tasks or any(not isinstance(task, str) or task not in _TASKS for task in tasks):
        raise place.at("tasks").wrong(f"{quoted(tasks)}: expected a list of {', '.join(_TASKS)}")
    return tuple(tasks)


def _beyond_the_zoo(place: Place, table: Mapping[str, Any], weights: AnyPath) -> Asked:
    """A network that the zoo does not have, loaded once to see what it is."""
    label = table.get("label", Path(table["weights"]).stem)
    told = table.get("arguments", {})
    make = functools.partial(load, weights, part=table.get("part"), label=label, **told)
    network = place.at("weights").checked(make)
    return Asked(label, make, _tasks(place, table), network.scale)


def _of_the_zoo(place: Place, table: Mapping[str, Any], folder: AnyPath) -> Asked:
    """A network by its name in the zoo, or recognised by its weights."""
    weights, part, told = None, table.get("part"), table.get("arguments", {})
    if "weights" in table:
        weights = joined(folder, table["weights"])
        if not weights.exists():
            raise place.at("weights").wrong(f"{quoted(str(weights))} does not exist")
    if "name" in table:
        name = table["name"]
    elif weights is not None:
        read = place.at("weights").checked(models.read_state_dict, local_copy(weights), part)
        if not models.recognise(read):
            return _beyond_the_zoo(place, table, weights)
        name = place.at("weights").checked(models.choose, read, **told)
    else:
        raise place.wrong("it has no name; see `cem-jax models`")
    if "tasks" in table:
        raise place.at("tasks").wrong("networks of the zoo have their own")
    facts = place.at("name").checked(models.describe, name)
    if weights is None and not facts.bundled:
        place.at("weights").checked(load, name)  # says which official file fits
    place.at("arguments").checked(models.check_arguments, name, told)
    usual = name if weights is None else f"{name} {weights.stem}"
    label = table.get("label", usual)
    make = functools.partial(load, name, weights, part=part, label=label, **told)
    as_named = weights is None and not told
    return Asked(label, make, facts.tasks, facts.scale if as_named else _scale(make, facts.scale))


def _scale(make: Callable[[], Network], usual: int) -> int:
    """The scale of a network, which its file or its arguments may change.

    A network that cannot be loaded is told with its maps.
    """
    try:
        return make().scale
    except ValueError:
        return usual
