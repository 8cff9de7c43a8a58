"""Operations on single elements, and those that only change what a number is stored as."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .layout import Laid
from .operation import Operation, elementwise, promoted


def _divide(a: Any, b: Any, rounding_mode: str | None = None) -> jax.Array:
    if rounding_mode == "floor":
        return jnp.floor_divide(a, b)
    return jnp.trunc(jnp.true_divide(a, b)) if rounding_mode == "trunc" else jnp.true_divide(a, b)


def _power(a: Any, b: Any) -> jax.Array:
    if isinstance(b, int | float):
        if float(b).is_integer() and jnp.issubdtype(jnp.result_type(a), jnp.floating):
            return lax.integer_pow(a, int(b))
        if b == 0.5:
            return jnp.sqrt(a)
    return jnp.power(a, b)


def _clamp(x: Any, low: Any = None, high: Any = None, *, min: Any = None, max: Any = None) -> Any:
    low, high = (min if low is None else low), (max if high is None else high)
    x = x if low is None else jnp.maximum(x, low)
    return x if high is None else jnp.minimum(x, high)


def _gelu(x: Any, *, approximate: str = "none") -> jax.Array:
    if approximate == "tanh":
        return jax.nn.gelu(x, approximate=True)
    return 0.5 * x * (1 + lax.erf(x * 0.5**0.5))


def _elu(x: Any, alpha: Any = 1, scale: Any = 1, input_scale: Any = 1) -> jax.Array:
    below = alpha * jnp.expm1(jnp.minimum(x, 0) * input_scale)
    return scale * jnp.where(x > 0, x, below)


def _softplus(x: Any, beta: Any = 1, threshold: Any = 20) -> jax.Array:
    return jnp.where(x * beta > threshold, x, jnp.logaddexp(x * beta, 0) / beta)


def _as(value: Any, **_: Any) -> Any:
    """The value; the caller gives it the type that torch says it has."""
    return value


def _filled(like: Laid, value: Any = 0, **_: Any) -> Laid:
    return like.like(jnp.full(like.array.shape, value))


def _bucketize(x: Laid, bounds: Laid, *, right: bool = False, **_: Any) -> Laid:
    """How many of the bounds lie below; each element by itself."""
    x, bounds = promoted([x, bounds])
    side = "right" if right else "left"
    found = jnp.searchsorted(jnp.asarray(bounds.plain()), x.array, side, method="compare_all")
    return x.like(found)


def _searchsorted(
    bounds: Laid,
    x: Laid,
    *,
    right: bool = False,
    side: str | None = None,
    sorter: Any = None,
    **_: Any,
) -> Laid:
    if bounds.ndim != 1 or sorter is not None or not isinstance(x, Laid):
        raise NotImplementedError("bounds of more than one line")
    return _bucketize(x, bounds, right=right or side == "right")


def _randomised_leaky(
    x: Laid, noise: Laid, low: float = 1 / 8, high: float = 1 / 3, training: bool = False, **_: Any
) -> tuple[Laid, Laid]:
    """Out of training its slope is the middle one."""
    if training:
        raise NotImplementedError("a leaky ReLU of random slopes")
    return x.like(jnp.where(x.array > 0, x.array, x.array * ((low + high) / 2))), noise


def _quantized(x: Any, scale: Any, zero: Any, low: int, high: int) -> Any:
    """Rounded to whole numbers of steps, as integers would hold them."""
    steps = jnp.round(x * (1 / scale)) + zero
    return (jnp.clip(steps, low, high) - zero) * scale


def _quantized_by_channel(
    x: Laid, scale: Laid, zero: Laid, axis: int, low: int, high: int
) -> tuple[Laid, None]:
    behind = (x.ndim - 1 - axis % x.ndim) * ((),)
    own = [Laid(value.array, (*value.axes, *behind)) for value in (scale, zero)]
    return elementwise(_quantized)(x, *own, low, high), None


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "__lshift__": jnp.left_shift,
    "__rshift__": jnp.right_shift,
    "abs": jnp.abs,
    "acos": jnp.arccos,
    "acosh": jnp.arccosh,
    "_conj": jnp.conj,
    "_conj_physical": jnp.conj,
    "angle": jnp.angle,
    "add": lambda a, b, alpha=1: jnp.add(a, b if alpha == 1 else b * alpha),
    "addcdiv": lambda x, a, b, value=1: x + value * a / b,
    "addcmul": lambda x, a, b, value=1: x + value * a * b,
    "asin": jnp.arcsin,
    "asinh": jnp.arcsinh,
    "atan": jnp.arctan,
    "atan2": jnp.arctan2,
    "atanh": jnp.arctanh,
    "bitwise_and": jnp.bitwise_and,
    "bitwise_left_shift": jnp.left_shift,
    "bitwise_not": jnp.bitwise_not,
    "bitwise_or": jnp.bitwise_or,
    "bitwise_right_shift": jnp.right_shift,
    "bitwise_xor": jnp.bitwise_xor,
    "ceil": jnp.ceil,
    "clamp": _clamp,
    "clamp_max": jnp.minimum,
    "clamp_min": jnp.maximum,
    "complex": lax.complex,
    "copysign": jnp.copysign,
    "cos": jnp.cos,
    "cosh": jnp.cosh,
    "digamma": jax.scipy.special.digamma,
    "div": _divide,
    "elu": _elu,
    "eq": jnp.equal,
    "erf": lax.erf,
    "erfc": lax.erfc,
    "erfinv": lax.erf_inv,
    "exp": jnp.exp,
    "exp2": jnp.exp2,
    "expm1": jnp.expm1,
    "floor": jnp.floor,
    "floor_divide": jnp.floor_divide,
    "fmax": jnp.fmax,
    "fmin": jnp.fmin,
    "fmod": lambda a, b: jnp.fmod(a, b),
    "ge": jnp.greater_equal,
    "gelu": _gelu,
    "gt": jnp.greater,
    "hardsigmoid": lambda x: jnp.clip(x + 3, 0, 6) / 6,
    "hardswish": lambda x: x * jnp.clip(x + 3, 0, 6) / 6,
    "hardtanh": lambda x, low=-1, high=1: jnp.clip(x, low, high),
    "hypot": jnp.hypot,
    "i0": jax.scipy.special.i0,
    "imag": jnp.imag,
    "isinf": jnp.isinf,
    "isnan": jnp.isnan,
    "le": jnp.less_equal,
    "leaky_relu": lambda x, slope=0.01: jnp.where(x > 0, x, x * slope),
    "lerp": lambda a, b, weight: a + weight * (b - a),
    "lgamma": lax.lgamma,
    "log": jnp.log,
    "log10": jnp.log10,
    "log1p": jnp.log1p,
    "log2": jnp.log2,
    "logical_and": jnp.logical_and,
    "logical_not": jnp.logical_not,
    "logical_or": jnp.logical_or,
    "logical_xor": jnp.logical_xor,
    "lt": jnp.less,
    "maximum": jnp.maximum,
    "minimum": jnp.minimum,
    "mish": lambda x: x * jnp.tanh(jax.nn.softplus(x)),
    "mul": jnp.multiply,
    "nan_to_num": lambda x, nan=0.0, posinf=None, neginf=None: jnp.nan_to_num(
        x, nan=nan or 0.0, posinf=posinf, neginf=neginf
    ),
    "ne": jnp.not_equal,
    "neg": jnp.negative,
    "polar": lambda size, angle: lax.complex(size * jnp.cos(angle), size * jnp.sin(angle)),
    "pow": _power,
    "real": jnp.real,
    "reciprocal": jnp.reciprocal,
    "relu": lambda x: jnp.maximum(x, 0),
    "relu6": lambda x: jnp.clip(x, 0, 6),
    "remainder": jnp.remainder,
    "round": jnp.round,
    "rsqrt": lax.rsqrt,
    "rsub": lambda a, b, alpha=1: b - a * alpha,
    "sigmoid": jax.nn.sigmoid,
    "sign": jnp.sign,
    "signbit": jnp.signbit,
    "silu": lambda x: x * jax.nn.sigmoid(x),
    "sin": jnp.sin,
    "sinh": jnp.sinh,
    "softplus": _softplus,
    "sqrt": jnp.sqrt,
    "sub": lambda a, b, alpha=1: jnp.subtract(a, b if alpha == 1 else b * alpha),
    "tan": jnp.tan,
    "tanh": jnp.tanh,
    "trunc": jnp.trunc,
}

OPERATIONS: dict[str, Operation] = {
    **{name: elementwise(function) for name, function in _FUNCTIONS.items()},
    "_local_scalar_dense": _as,
    "_to_copy": _as,
    "alias": _as,
    "bucketize": _bucketize,
    "clone": _as,
    "contiguous": _as,
    "copy": lambda old, new, **_: elementwise(lambda a, b: jnp.broadcast_to(b, a.shape))(old, new),
    "detach": _as,
    "fake_quantize_per_channel_affine_cachemask": _quantized_by_channel,
    "fake_quantize_per_tensor_affine_cachemask": lambda x, *args: (
        elementwise(_quantized)(x, *args),
        None,
    ),
    "fill": _filled,
    "full_like": _filled,
    "lift_fresh_copy": _as,
    "masked_fill": elementwise(lambda x, mask, value: jnp.where(mask, value, x), chooses=1),
    "ones_like": lambda like, **_: _filled(like, 1),
    "rrelu_with_noise_functional": _randomised_leaky,
    "searchsorted": _searchsorted,
    "where": elementwise(jnp.where, chooses=0),
    "zeros_like": lambda like, **_: _filled(like, 0),
}
