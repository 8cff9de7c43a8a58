"""Functions and modules of JAX as networks."""

import dataclasses
import inspect
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np
from flax import nnx

from cem_jax.arguments import as_text, whole_number
from cem_jax.network.module import Module
from cem_jax.network.network import Apply, Network, of_any_size
from cem_jax.plain_text import quoted

_ARRAYS = (jax.Array, np.ndarray)


@dataclasses.dataclass(frozen=True)
class Tree:
    """A callable pytree as `apply`: its arrays are the parameters, all else stays as it is."""

    structure: Any
    rest: tuple[Any, ...]

    def __call__(self, params: Any, x: jax.Array) -> jax.Array:
        """What the pytree makes of an image."""
        arrays = iter(params)
        leaves = [next(arrays) if leaf is None else leaf for leaf in self.rest]
        return jax.tree.unflatten(self.structure, leaves)(x)


@dataclasses.dataclass(frozen=True)
class WithoutParams:
    """A function of the image alone, as `apply`."""

    function: Callable[[jax.Array], jax.Array]

    def __call__(self, params: Any, x: jax.Array) -> jax.Array:
        """What the function makes of an image."""
        return self.function(x)


def _is_of(value: Any, package: str) -> bool:
    """Whether something is a module of a framework, which need not be imported for that."""
    kinds = ((kind.__module__.partition(".")[0], kind.__qualname__) for kind in type(value).__mro__)
    return (package, "Module") in kinds


def _instead_of_data(value: Any) -> str | None:
    """What to call with what holds a network, but cannot be called; None for all else."""
    if isinstance(value, str | os.PathLike):
        call = "wrap_onnx" if str(value).lower().endswith(".onnx") else "load"
        return f"a file; call cem_jax.{call}(path)"
    package, kind = type(value).__module__.partition(".")[0], type(value).__name__
    if (package, kind) == ("torch", "ExportedProgram"):
        return "a program of torch.export; call cem_jax.wrap_torch(program.module())"
    if (package, kind) in (("onnx", "ModelProto"), ("onnxruntime", "InferenceSession")):
        return "a model of ONNX; write it to a file, and call cem_jax.wrap_onnx(path)"
    if isinstance(value, Mapping) and not callable(value):
        return "weights without a network; write them to a file, and call cem_jax.load(path)"
    return None


def _refuse_others(fn: Any, params: Any) -> None:
    """Names the right call for what `wrap` does not take."""
    if isinstance(fn, Network):
        raise ValueError(
            f"fn={quoted(fn)}: a Network already, which needs no wrap; "
            "dataclasses.replace(network, name=...) changes its facts"
        )
    if isinstance(fn, type):
        raise ValueError(f"fn={fn.__name__}: a class; expected a function or an object made of it")
    if _is_of(owner := getattr(fn, "__self__", fn), "torch"):  # of a method, too
        raise ValueError(
            f"fn={type(owner).__name__}: a torch module; call cem_jax.wrap_torch(module)"
        )
    named = type(owner).__name__
    if call := _instead_of_data(fn):
        raise ValueError(f"fn={quoted(fn)}: {call}")
    without = owner is not fn and params is None  # a method without the module's variables
    if _is_of(owner if without else fn, "flax") and not isinstance(owner, nnx.Module):
        raise ValueError(
            f"fn={named}: a Linen module; call cem_jax.wrap(module.apply, params=variables)"
        )
    if isinstance(fn, nnx.Module):
        for path, part in nnx.iter_graph(fn):
            if not isinstance(part, nnx.Module):
                continue
            drops = getattr(part, "deterministic", None) is False and getattr(part, "rate", 1)
            if drops or getattr(part, "use_running_average", None) is False:
                place = ".".join(map(str, path)) or named
                raise ValueError(
                    f"fn={named}: its {type(part).__name__} ({place}) is in training mode; call "
                    "module.eval() first"
                )


_FOREIGN = frozenset((
    "__array_interface__", "__dlpack_device__", "chunk", "clone", "contiguous", "cpu", "cuda",
    "detach", "expand", "float", "narrow", "new_zeros", "permute", "requires_grad_",
    "repeat_interleave", "to", "unfold", "unsqueeze",
))  # fmt: skip
"""What arrays of numpy or torch have and JAX's have not."""


def _refuse_numpy(name: str, apply: Apply, params: Any, multiple: int) -> None:
    """Refuses a function that knows no arrays of JAX; other errors may be the size's."""
    side = -(-32 // multiple) * multiple
    try:
        jax.eval_shape(apply, params, jax.ShapeDtypeStruct((1, side, side, 3), np.float32))
    except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError) as error:
        text = str(error).strip().split("\n")[0][:200]
        raise ValueError(
            f"fn={name}: expected a function of jax.numpy; it asks for the image's values "
            f"({text}); jax.pure_callback calls a function of numpy on the host"
        ) from error
    except (TypeError, AttributeError) as error:
        text = " ".join(str(error).split())[:200]
        own = isinstance(error, AttributeError) and text.rpartition(" ")[2] not in _FOREIGN
        if (
            "Tracer" in text and not own
        ) or "are immutable" in text:  # an attribute that nobody has is told with the image
            raise ValueError(
                f"fn={name}: expected a function of jax.numpy; it treats the image as "
                f"another kind of array ({text}); a torch module goes to "
                "cem_jax.wrap_torch(module)"
            ) from error
    except Exception:  # an image of this size or of these channels may be none that it takes
        return


def _refuse_signature(name: str, fn: Callable[..., Any], given: Sequence[str]) -> None:
    """Refuses a function that cannot be called with what it is to be given."""
    try:
        signature = inspect.signature(fn)
    except (ValueError, TypeError):  # functions in C need not have one
        return
    try:
        signature.bind(*given)
    except TypeError as error:
        raise ValueError(
            f"fn={name}: expected a function f({', '.join(given)}), has {signature}; what it takes "
            "beside the image is fixed in a function of the image alone"
        ) from error


def wrap(
    fn: Callable[..., Any],
    *,
    scale: int = 1,
    name: str | None = None,
    params: Any = None,
    receptive_radius: int | None = None,
    size_multiple: int = 1,
) -> Network:
    """Any JAX function as a network.

    Args:
        fn: `f(x)`, or `f(params, x)` where params are given, NHWC in [0, 1] in and out; an NNX
            module, or a callable pytree such as an Equinox module, is taken apart into its
            function and its arrays.
        scale: output pixels per input pixel.
        name: what it is called; by default the function's own name.
        params: a pytree of parameters, passed through to `f(params, x)`.
        receptive_radius: farthest input pixel that reaches an output pixel; None if unknown: the
            function's locality is then found where its operations show it.
        size_multiple: of which the function needs an image's sides, in input pixels (strides,
            windows): others are padded by reflection, and crops begin on it.

    Raises:
        ValueError: fn is no function of JAX (the message names what to call for a torch or a Linen
            module), is in training mode, or cannot be hashed; or scale, receptive_radius or
            size_multiple is out of range.

    Examples:
        >>> import cem_jax as cem
        >>> import numpy as np
        >>> network = cem.wrap(lambda x: x.repeat(2, 1).repeat(2, 2), scale=2, receptive_radius=0)
        >>> network(np.zeros((1, 8, 8, 3))).shape
        (1, 16, 16, 3)
    """
    _refuse_others(fn, params)
    if not callable(fn):
        raise ValueError(f"fn={quoted(fn)}: expected a function of an image")
    scale = whole_number("scale", scale, 1)
    multiple = whole_number("size_multiple", size_multiple, 1)
    own = getattr(fn, "__name__", type(fn).__name__)
    called = own if name is None else as_text("name", name)
    apply: Apply
    if isinstance(fn, nnx.Module):
        graph, params = nnx.split(fn)
        apply = Module(graph)
    elif params is None and not jax.tree_util.all_leaves([fn]):
        leaves, structure = jax.tree.flatten(fn)
        params = [leaf for leaf in leaves if isinstance(leaf, _ARRAYS)]
        rest = tuple(None if isinstance(leaf, _ARRAYS) else leaf for leaf in leaves)
        apply = Tree(structure, rest)
    else:
        apply = fn if params is not None else WithoutParams(fn)
    try:
        hash(apply)
    except TypeError as error:
        raise ValueError(f"fn={called}: {error}; pass what it holds as params=") from error
    if apply is fn or isinstance(apply, WithoutParams):
        _refuse_signature(called, fn, ("x",) if params is None else ("params", "x"))
        _refuse_numpy(called, apply, params, multiple)
    apply = of_any_size(apply, scale, multiple)
    return Network(called, apply, params, scale, receptive_radius, anchor=multiple)
