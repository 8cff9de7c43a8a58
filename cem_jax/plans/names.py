"""Plans by the names that the command line, job files and `plan=` take."""

from cem_jax.plain_text import shortened, visible
from cem_jax.plans.adaptive import Adaptive
from cem_jax.plans.plan import CoarseToFine, Fixed, Plan
from cem_jax.plans.quadrature import Quadrature, Stratified

_PLANS = {
    "coarse-to-fine": (CoarseToFine, ("coarse", "fine")),
    "adaptive": (Adaptive, ("most",)),
    "fixed": (Fixed, ("n",)),
    "quadrature": (Quadrature, ("n",)),
    "stratified": (Stratified, ("n",)),
}
PLAN_HELP = "coarse-to-fine[:COARSE,FINE], adaptive[:MOST], fixed:N, quadrature:N or stratified:N"

_ASKED = ("tolerance", "capacity", "patches", "wanted", "estimate")
"""What a sweep asks of a plan."""


def as_plan(given: Plan | str) -> Plan:
    """A plan from what a user gives.

    Args:
        given: a plan, or its name and numbers of draws as in "adaptive:64"; see `docs/plans.md`.

    Raises:
        ValueError: something else, or numbers that do not fit.
    """
    if not isinstance(given, str):
        if isinstance(given, type) or not all(hasattr(given, name) for name in _ASKED):
            raise ValueError(f"plan={given!r}: expected a plan such as Fixed(8), or {PLAN_HELP}")
        return given
    name, _, rest = given.partition(":")
    try:
        plan, fields = _PLANS[name]
        numbers = [int(part) for part in rest.split(",")] if rest else []
        optional = name in ("coarse-to-fine", "adaptive") and not numbers
        if not optional and len(numbers) != len(fields):
            raise ValueError
    except (KeyError, ValueError):
        shown = shortened(visible(given), 60)
        raise ValueError(f"plan={shown!r}: expected {PLAN_HELP}") from None
    return plan(**dict(zip(fields, numbers, strict=False)))
