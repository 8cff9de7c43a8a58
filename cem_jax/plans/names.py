"""Plans by name, for the command line and `plan=`, and as data, for files."""

import ast
import dataclasses
import re
from collections.abc import Mapping
from typing import Any

from cem_jax.plain_text import quoted
from cem_jax.plans.adaptive import Adaptive
from cem_jax.plans.coarse_to_fine import CoarseToFine
from cem_jax.plans.corrected import Corrected
from cem_jax.plans.every_block import Fixed, Quadrature, Stratified
from cem_jax.plans.plan import Plan

PLANS: Mapping[str, Any] = {
    "coarse-to-fine": CoarseToFine,
    "adaptive": Adaptive,
    "fixed": Fixed,
    "stratified": Stratified,
    "quadrature": Quadrature,
    "corrected": Corrected,
}
"""The plans by their names."""

PLAN_HELP = (
    "coarse-to-fine[:COARSE,FINE], adaptive[:MOST], fixed:N, stratified:N, quadrature:N "
    "or corrected:PLAN"
)

_NUMBERS = {
    "coarse-to-fine": ("coarse", "fine"),
    "adaptive": ("most",),
    "fixed": ("n",),
    "stratified": ("n",),
    "quadrature": ("n",),
}
"""What the numbers after a name mean."""

_WITHOUT = ("coarse-to-fine", "adaptive")
"""Plans that need no number."""

_ASKED = ("tolerance", "capacity", "patches", "wanted", "estimate")
"""What a sweep asks of a plan."""

_WRITTEN = re.compile(r"(CoarseToFine|Adaptive|Fixed|Stratified|Quadrature)\((.{0,200})\)")
"""Plans as maps recorded them before they were data."""


def as_plan(given: Plan | str | Mapping[str, Any]) -> Plan:
    """A plan from what a user or a file gives.

    Args:
        given: a plan; its name and numbers of draws, as in "adaptive:64" (see `docs/plans.md`); or
            its record, as in {"plan": "adaptive", "most": 64}.

    Returns:
        The plan.

    Raises:
        ValueError: something else, or numbers out of range; the message names `plan`.

    Examples:
        >>> from cem_jax.plans.names import as_plan, plan_record
        >>> as_plan("coarse-to-fine:3,20")
        CoarseToFine(coarse=3, fine=20, tolerance=None)
        >>> plan_record(as_plan("fixed:8"))
        {'plan': 'fixed', 'n': 8, 'tolerance': None}
    """
    if isinstance(given, str):
        return _from_text(given)
    if isinstance(given, Mapping):
        return _from_record(given)
    if isinstance(given, type) or not all(hasattr(given, name) for name in _ASKED):
        raise ValueError(f"plan={quoted(given)}: expected a plan such as Fixed(8), or {PLAN_HELP}")
    return given


def _from_text(text: str) -> Plan:
    name, colon, rest = text.strip().lower().partition(":")
    if name == "corrected" and not rest.lstrip().startswith("corrected"):
        return _made(Corrected, {"of": _from_text(rest)}, text)
    fields = _NUMBERS.get(name, ())
    parts = rest.split(",") if colon else []
    fits = len(parts) == len(fields) or (not parts and name in _WITHOUT)
    if not fields or not fits or not all(re.fullmatch(r"\s*[0-9]{1,18}\s*", p) for p in parts):
        raise ValueError(f"plan={quoted(text, 60)}: expected {PLAN_HELP}")
    numbers = dict(zip(fields, map(int, parts), strict=False))
    return _made(PLANS[name], numbers, text)


def _from_record(record: Mapping[str, Any]) -> Plan:
    name = record.get("plan")
    if not isinstance(name, str) or name.lower() not in PLANS:
        raise ValueError(f"plan={quoted(name)}: expected {', '.join(PLANS)}")
    plan = PLANS[name.lower()]
    numbers = {key: value for key, value in record.items() if key != "plan"}
    if isinstance(numbers.get("of"), Mapping):
        numbers["of"] = _from_record(numbers["of"])
    fields = {field.name: field for field in dataclasses.fields(plan)}
    for key in numbers:
        if key not in fields:
            known = ", ".join(fields)
            raise ValueError(f"plan={quoted(name)} has no {quoted(key)}: expected {known}")
    for key, field in fields.items():
        if field.default is dataclasses.MISSING and key not in numbers:
            raise ValueError(f"plan={quoted(name)} needs {key}")
    return _made(plan, numbers, dict(record))


def _made(plan: Any, numbers: Mapping[str, Any], given: object) -> Plan:
    try:
        return plan(**numbers)
    except ValueError as error:
        raise ValueError(f"plan={quoted(given)}: {error}") from error


def plan_record(plan: Plan) -> dict[str, Any] | str:
    """A plan as JSON values: {"plan": name, ...numbers}, read again by `as_plan`.

    Args:
        plan: the plan.

    Returns:
        Of a plan that is not of this package, what Python writes of it.
    """
    for name, kind in PLANS.items():
        if isinstance(plan, Corrected) and kind is Corrected:
            shallow = {one.name: getattr(plan, one.name) for one in dataclasses.fields(plan)}
            return {"plan": name} | shallow | {"of": plan_record(plan.of)}  # type: ignore[arg-type]
        if type(plan) is kind:
            return {"plan": name} | dataclasses.asdict(plan)  # type: ignore[call-overload]
    return repr(plan)


def plan_text(record: object) -> str:
    """A recorded plan in short, as the command line takes it where it can.

    Args:
        record: see `plan_record`; of older maps, a text.
    """
    if not isinstance(record, Mapping):
        return str(record)
    name = str(record.get("plan"))
    if name == "corrected":
        return f"corrected:{plan_text(record.get('of'))}"
    numbers = [record.get(field) for field in _NUMBERS.get(name, ())]
    return f"{name}:{','.join(map(str, numbers))}" if numbers else name


def recorded_plan(record: object) -> Plan | None:
    """The plan that a map's provenance tells.

    Args:
        record: see `plan_record`; older maps hold what Python writes of a plan.

    Returns:
        The plan; None if it is not one of this package's.
    """
    if isinstance(record, str):
        record = _older(record)
    if not isinstance(record, Mapping):
        return None
    try:
        return _from_record(record)
    except ValueError:
        return None


def _older(text: str) -> dict[str, Any] | None:
    found = _WRITTEN.fullmatch(text)
    if found is None:
        return None
    names = {kind.__name__: name for name, kind in PLANS.items()}
    try:
        call = ast.parse(f"f({found[2]})", mode="eval").body
        assert isinstance(call, ast.Call)
        numbers = {str(one.arg): ast.literal_eval(one.value) for one in call.keywords}
    except (SyntaxError, ValueError, AssertionError):
        return None
    return {"plan": names[found[1]]} | numbers
