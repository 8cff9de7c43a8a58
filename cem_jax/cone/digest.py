"""Fingerprints of what outcomes depend on: arrays, and functions by what they compute.

A function's fingerprint is that of its jaxpr with all constants, so that two lambdas of one text
that hold different numbers differ, and two texts that compute the same do not. What runs on the
host is a black box in a jaxpr. It says what it is by `__cem_digest__`, a text or a method without
arguments that returns one, on the called function, on the object whose method it is, or on the
whole function; without that there is no fingerprint.
"""

import functools
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from jax.extend import random as extended

from .jaxpr import called, is_literal, opened

_Generator = type(extended.threefry_prng_impl)

_LENGTH = 16
"""Hexadecimal digits of a fingerprint."""

_SILENT = ("debug_callback", "debug_print")
"""Primitives that change no value."""

_FOREIGN = "ffi_call"
"""A primitive whose code is outside of JAX, known by its name only."""

_INNER = ("__self__", "callback_func", "function", "apply", "func", "forward", "__wrapped__")
"""Where wrappers keep what they wrap."""

_DEEPEST = 32
"""Wrappers within one another that are looked into."""


class NoFingerprintError(ValueError):
    """A function that cannot be told from another one; the message says why."""


class _Hash:
    """Collects bytes; everything is written with its kind, so that nothing runs together."""

    def __init__(self, own: str | None):
        self._hash, self._own = hashlib.sha256(), own

    def text(self, *parts: object) -> None:
        self._hash.update(repr(parts).encode())

    def array(self, value: Any) -> None:
        if isinstance(value, jax.Array) and jax.numpy.issubdtype(value.dtype, jax.dtypes.prng_key):
            self.text("key", str(value.dtype))
            value = jax.random.key_data(value)
        value = np.asarray(value)
        self.text("array", value.shape, str(value.dtype))
        self._hash.update(np.ascontiguousarray(value).tobytes())

    def jaxpr(self, jaxpr: Any) -> None:
        inner, constants = opened(jaxpr)
        number: dict[Any, int] = {}
        for var in (*inner.constvars, *inner.invars):
            number[var] = len(number)
            self.text("in", str(var.aval))
        for constant in constants:
            self.array(constant)
        for eqn in inner.eqns:
            self._equation(eqn, number)
        self._atoms(inner.outvars, number)

    def _equation(self, eqn: Any, number: dict[Any, int]) -> None:
        name = eqn.primitive.name
        if name in _SILENT:
            return
        # Which branch a platform takes is no part of what a function is.
        inner = None if name == "cond" else called(eqn)
        self.text("equation", "call" if inner is not None else name)
        self._atoms(eqn.invars, number)
        if inner is not None:
            self.jaxpr(inner)
        elif name == _FOREIGN and self._own is None:
            raise NoFingerprintError(
                f"it calls foreign code ({eqn.params.get('target_name')}) whose contents are "
                "unknown"
            )
        else:
            self.value(eqn.params)
        for var in eqn.outvars:
            number[var] = len(number)
            self.text("out", str(var.aval))

    def _atoms(self, atoms: Sequence[Any], number: Mapping[Any, int]) -> None:
        for atom in atoms:
            if is_literal(atom):
                self.text("literal", str(atom.aval))
                self.array(atom.val)
            else:
                self.text("of", number.get(atom))

    def value(self, value: Any) -> None:
        """A parameter of an equation, whatever it is."""
        if value is None or isinstance(
            value, bool | int | float | complex | str | bytes | np.dtype
        ):
            self.text(value)
        elif isinstance(value, jax.Array | np.ndarray | np.generic):
            self.array(value)
        elif hasattr(opened(value)[0], "eqns"):
            self.jaxpr(value)
        elif isinstance(value, _Generator):
            self.text("generator", value.name)
        elif isinstance(value, Mapping):
            self.text("mapping", len(value))
            for key in sorted(value, key=str):
                self.text(str(key))
                self.value(value[key])
        elif isinstance(value, tuple | list):
            self.text("sequence", len(value))
            for item in value:
                self.value(item)
        elif isinstance(value, type):
            self.text("type", value.__module__, value.__qualname__)
        elif callable(value):
            self._function(value)
        else:
            self._other(value)

    def _function(self, function: Any) -> None:
        found = told(function) or self._own
        if found is None:
            inner = _layers(function)[-1]
            name = getattr(inner, "__qualname__", type(inner).__qualname__)
            raise NoFingerprintError(
                f"it calls {name} on the host, whose contents are unknown; give it "
                "`__cem_digest__`, a text that changes whenever its results do"
            )
        self.text("told", found)

    def _other(self, value: Any) -> None:
        text = repr(value)
        if " at 0x" in text:
            raise NoFingerprintError(f"it depends on {text}, whose contents are unknown")
        self.text(type(value).__qualname__, text)

    @property
    def digest(self) -> str:
        return self._hash.hexdigest()[:_LENGTH]


def _layers(function: Any) -> list[Any]:
    """A function, what it wraps, what that wraps, and so on; everything once.

    Methods lead to their object, and objects to methods of theirs (`module.apply` of Linen), so
    that there are circles; objects that answer to every name wrap new ones without an end.
    """
    found: list[Any] = []
    seen: set[tuple[int, int]] = set()
    for _ in range(_DEEPEST):
        own = id(getattr(function, "__self__", function)), id(getattr(function, "__func__", None))
        if own in seen:
            break
        seen.add(own)
        found.append(function)
        inner = (getattr(function, name, None) for name in _INNER)
        function = next((one for one in inner if callable(one)), None)
        if function is None:
            break
    return found


def told(function: Any) -> str | None:
    """What a function, or one that it wraps, says by `__cem_digest__`; None if nothing."""
    for one in _layers(function):
        found = getattr(one, "__cem_digest__", None)
        found = found() if callable(found) else found
        if found is not None:
            return str(found)
    return None


def digest_arrays(arrays: Sequence[Any]) -> str:
    """A fingerprint of arrays: their shapes, types and bytes."""
    found = _Hash(None)
    for array in arrays:
        found.array(array)
    return found.digest


def digest_function(function: Callable[..., Any], *shapes: Any, of_host: str | None = None) -> str:
    """A fingerprint of a function at arguments of some shapes.

    Args:
        function: pure, of JAX.
        *shapes: pytrees of `jax.ShapeDtypeStruct`.
        of_host: what stands for code on the host that does not say what it is; None: nothing does.

    Raises:
        NoFingerprintError: it runs what is unknown.
    """
    found = _Hash(told(function) or of_host)
    # By another name: JAX would tell again what it saw before a global changed.
    found.jaxpr(jax.make_jaxpr(lambda *given: function(*given))(*shapes))
    return found.digest


@functools.lru_cache(maxsize=32)
def _digest_apply(apply: Any, tree: Any, leaves: tuple[Any, ...], shape: tuple[int, ...]) -> str:
    params = jax.tree.unflatten(tree, leaves)
    return digest_function(apply, params, jax.ShapeDtypeStruct(shape, np.float32))


def digest_apply(apply: Callable[..., Any], params: Any, shape: tuple[int, ...]) -> str:
    """A fingerprint of a network's function `apply(params, x)`, without its parameters' values.

    Args:
        apply: hashable.
        params: its parameters.
        shape: of x.

    Raises:
        NoFingerprintError: it runs what is unknown.
    """
    leaves, tree = jax.tree.flatten(params)
    like = tuple(jax.ShapeDtypeStruct(np.shape(a), jax.numpy.result_type(a)) for a in leaves)
    return _digest_apply(apply, tree, like, shape)


def digest_text(record: Any) -> str:
    """A fingerprint of a value by its `repr`, which must tell all of it.

    Raises:
        NoFingerprintError: it does not.
    """
    text = repr(record)
    if " at 0x" in text:
        raise NoFingerprintError(f"{text} does not show what it holds; give its class a `__repr__`")
    return text
