"""What is read of jaxprs: the one place that knows how JAX writes its primitives.

Primitives and their parameters are no public interface and change between versions of JAX. A rule
may rely on the parameters listed here; an equation that lacks one of them, or has one that is not
listed, is not understood, and its operation counts as global.
"""

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import core
from jax.interpreters import partial_eval

_CALLS = {
    "jit": "jaxpr",
    "pjit": "jaxpr",
    "closed_call": "call_jaxpr",
    "core_call": "call_jaxpr",
    "remat2": "jaxpr",
    "checkpoint": "jaxpr",
    "custom_jvp_call": "call_jaxpr",
    "custom_vjp_call": "call_jaxpr",
}
"""Primitives that only call a jaxpr, and the parameter that holds it."""

_GPUS = ("cuda", "rocm")
"""What `jax.lax.platform_dependent` calls the backend "gpu"."""

_ELEMENTWISE = (
    "abs acos acosh add add_any and asin asinh atan atan2 atanh bessel_i0e bessel_i1e cbrt ceil "
    "clamp clz complex conj convert_element_type copy copy_p cos cosh digamma div eq erf erf_inv "
    "erfc exp exp2 "
    "expm1 floor ge gt igamma igammac imag integer_pow is_finite le lgamma log log1p logistic lt "
    "max min mul ne neg nextafter not or population_count pow real reduce_precision rem round "
    "rsqrt select_n shift_left shift_right_arithmetic shift_right_logical sign sin sinh sqrt "
    "square stop_gradient sub tan tanh xor"
)
_REDUCTIONS = "sum max min prod and or xor"
_ALONG = "cumsum cumprod cummax cummin cumlogsumexp"

ELEMENTWISE = tuple(_ELEMENTWISE.split())
"""Primitives whose outputs' elements each follow the operands' elements at the same place."""

REDUCTIONS = (*(f"reduce_{name}" for name in _REDUCTIONS.split()), "argmax", "argmin")
"""Primitives that reduce over axes."""

ALONG = tuple(_ALONG.split())
"""Primitives that accumulate along one axis."""

SCATTERS = ("scatter", *(f"scatter-{name}" for name in ("add", "mul", "min", "max")))
"""Primitives that write into an array."""

_WINDOW = "window_dimensions window_strides padding base_dilation window_dilation"

_NEEDED = {
    **dict.fromkeys(REDUCTIONS, "axes"),
    **dict.fromkeys(ALONG, "axis"),
    **{f"reduce_window_{name}": _WINDOW for name in ("sum", "max", "min")},
    "broadcast_in_dim": "shape broadcast_dimensions",
    "concatenate": "dimension",
    "conv_general_dilated": "window_strides padding lhs_dilation rhs_dilation dimension_numbers "
    "feature_group_count batch_group_count",
    "dot_general": "dimension_numbers",
    "dynamic_slice": "slice_sizes",
    "fft": "fft_lengths",
    "gather": "dimension_numbers slice_sizes mode",
    "pad": "padding_config",
    "reshape": "new_sizes dimensions",
    "pick": "rows axis band",  # no primitive: `Builder.pick`
    "rev": "dimensions",
    "sort": "dimension",
    "slice": "start_indices limit_indices strides",
    "split": "sizes axis",
    "squeeze": "dimensions",
    "stack": "axis",
    "tile": "reps",
    "top_k": "axis",
    **dict.fromkeys(SCATTERS, "dimension_numbers mode"),
    "transpose": "permutation",
    "unstack": "axis",
}
"""Parameters that say where an output's elements come from."""

_HOW = (
    "accuracy exponent_bits fft_type fill_value index_dtype indices_are_sorted input_dtype "
    "is_stable k mantissa_bits new_dtype num_keys out_dtype out_sharding precision "
    "preferred_element_type reverse rounding_method sharding unique_indices update_consts "
    "update_jaxpr weak_type y"
)
_OTHERS = frozenset(_HOW.split())
"""Parameters that only say how an element is computed, or where arrays are kept."""

_SCAN = "jaxpr length reverse unroll linear num_consts num_carry ft_in ft_out _split_transpose"
_LOOP = frozenset(_SCAN.split())
"""Parameters of `scan`, in all versions."""


def misread(name: str, params: Mapping[str, Any]) -> tuple[str, ...]:
    """The parameters of a primitive that are missing, or that nothing is known of."""
    needed = frozenset(_NEEDED.get(name, "").split())
    return tuple(sorted((needed - params.keys()) | (params.keys() - needed - _OTHERS)))


def opened(jaxpr: Any) -> tuple[Any, Sequence[Any]]:
    """A jaxpr, closed or not, and the values of its constants."""
    return getattr(jaxpr, "jaxpr", jaxpr), getattr(jaxpr, "consts", ())


def called(eqn: Any) -> Any | None:
    """The jaxpr that an equation only calls, on its last operands; None if it does more.

    Of a `jax.lax.platform_dependent` it is the branch of the default backend.
    """
    name, params = eqn.primitive.name, eqn.params
    if name in _CALLS:
        return params.get(_CALLS[name])
    if name != "cond" or params.get("branches_platforms") is None:
        return None
    backend = jax.default_backend()
    own = _GPUS if backend == "gpu" else (backend,)
    for branch, platforms in zip(params["branches"], params["branches_platforms"], strict=True):
        if platforms is None or set(platforms) & set(own):
            return branch
    return None


@dataclasses.dataclass(frozen=True, eq=False)
class Loop:
    """A `scan`: operands are constants, carried values and rows; outputs carried values and rows.

    Args:
        body: the jaxpr of one step.
        consts: number of constants.
        carried: number of carried values.
        length: number of steps.
        reverse: whether the last row comes first.
    """

    body: Any
    consts: int
    carried: int
    length: int
    reverse: bool


def loop(eqn: Any) -> Loop | None:
    """The loop that an equation is; None if it is none, or not understood."""
    p = eqn.params
    if eqn.primitive.name != "scan" or not {"jaxpr", "length", "reverse"} <= p.keys() <= _LOOP:
        return None
    # How many there are of each kind is written differently from version to version, but rows have
    # one axis more outside than inside, and constants and carried values have not.
    body, _ = opened(p["jaxpr"])
    inside, outside = [[_rank(v) for v in vs] for vs in (body.invars, eqn.invars)]
    given, made = [[_rank(v) for v in vs] for vs in (body.outvars, eqn.outvars)]
    rows = sum(a != b for a, b in zip(inside, outside, strict=True))
    carried = sum(a == b for a, b in zip(given, made, strict=True))
    consts = len(inside) - rows - carried
    found = Loop(p["jaxpr"], consts, carried, int(p["length"]), bool(p["reverse"]))
    expected = [0] * (consts + carried) + [1] * rows, [0] * carried + [1] * (len(made) - carried)
    grown = [[b - a for a, b in pair] for pair in (zip(inside, outside), zip(given, made))]  # noqa: B905
    return found if consts >= 0 and tuple(grown) == expected else None


def _rank(var: Any) -> int:
    return len(getattr(var.aval, "shape", ()))


def within(params: Mapping[str, Any]) -> Iterator[Any]:
    """The equations of the jaxprs among an operation's parameters."""
    for value in params.values():
        yield from getattr(opened(value)[0], "eqns", ())


def placed(scope: str, eqn: Any) -> str:
    """Where an equation stands, of one in a jaxpr that is called at `scope`.

    Names of `jax.named_scope` that repeat the path so far, as full paths of modules do, replace it;
    others are added to it.
    """
    for part in eqn.source_info.name_stack.stack:
        name = part.name if type(part).__name__ == "Scope" else ""  # else a transformation, as vmap
        if name and name != scope and "->" not in name:  # as jnp.einsum names itself
            scope = name if name.startswith(f"{scope}.") or not scope else f"{scope}.{name}"
    return scope


def is_literal(atom: Any) -> bool:
    """Whether an operand is written into the jaxpr; then `atom.val` is its value."""
    return isinstance(atom, core.Literal)


def is_traced(value: Any) -> bool:
    """Whether a constant belongs to an outer function that is being traced."""
    return isinstance(value, jax.core.Tracer)


def binder(eqn: Any) -> Callable[..., Sequence[jax.Array]]:
    """Applies an equation's primitive; keywords replace parameters. One array for each output."""

    def bind(*args: Any, **changed: Any) -> Sequence[jax.Array]:
        params = eqn.primitive.get_bind_params({**eqn.params, **changed})
        out = eqn.primitive.bind(*args, **params)
        return out if eqn.primitive.multiple_results else [out]

    return bind


def outputs(eqn: Any) -> list[tuple[tuple[int, ...], np.dtype]]:
    """Shape and dtype of each output."""
    return [(tuple(v.aval.shape), v.aval.dtype) for v in eqn.outvars]


def used_arguments(function: Callable[..., Any], *shapes: Any) -> list[bool]:
    """Of each leaf of a function's arguments, whether the result may depend on it.

    Args:
        function: pure, of JAX.
        *shapes: pytrees of `jax.ShapeDtypeStruct`.
    """
    jaxpr = jax.make_jaxpr(function)(*shapes).jaxpr
    return list(partial_eval.dce_jaxpr(jaxpr, [True] * len(jaxpr.outvars))[1])
