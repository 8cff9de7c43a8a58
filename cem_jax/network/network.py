"""A network as the sweep sees it: a pure function, its parameters, and a few facts."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import nnx

from cem_jax import models
from cem_jax.arguments import as_text, whole_number
from cem_jax.network.compiler_options import jitted

_ARRAYS = (jax.Array, np.ndarray)

_FARTHEST = 0.01
"""Largest difference between a network and what it was made from; rounding stays below 1e-4."""

Apply = Callable[[Any, jax.Array], jax.Array]
"""`apply(params, x)`: float32 [n, h, w, c] -> [n, h * scale, w * scale, c], pure."""


def _call(apply: Apply, params: Any, x: jax.Array) -> jax.Array:
    return apply(params, x)


@dataclasses.dataclass(frozen=True, eq=False)
class Network:
    """A restoration network: a pytree whose leaves are its parameters; equal to itself alone.

    Args:
        name: what it is called in tables and records.
        apply: the pure function `apply(params, x)`; it takes any height and width.
        params: its pytree.
        scale: output pixels per input pixel.
        receptive_radius: farthest input pixel that reaches an output pixel; None if any may.
        anchor: period of the network's grid (strides, windows) in input pixels: a crop that begins
            on it sees the same grid. None: only the whole image may be computed.
        channels: channels of the image that it takes; None if unknown.
        noise_level: deviation of the noise that it was told, in [0, 1]; None if it is told that of
            the scene, or none at all.
        reference: what `apply` was made from, in the same form, for `check`; it ignores `params`.

    Raises:
        ValueError: a name that is no text, or a number out of range.
    """

    name: str
    apply: Apply = dataclasses.field(repr=False)
    params: Any = dataclasses.field(repr=False)
    scale: int = 1
    receptive_radius: int | None = None
    anchor: int | None = 1
    channels: int | None = dataclasses.field(default=None, repr=False)
    noise_level: float | None = dataclasses.field(default=None, repr=False)
    reference: Apply | None = dataclasses.field(default=None, repr=False)

    def __post_init__(self) -> None:
        put = object.__setattr__
        put(self, "name", as_text("name", self.name))
        put(self, "scale", whole_number("scale", self.scale, 1))
        for name, least in (("receptive_radius", 0), ("anchor", 1), ("channels", 1)):
            if (value := getattr(self, name)) is not None:
                put(self, name, whole_number(name, value, least))

    def at_noise(self, sigma: float) -> "Network":
        """This network told a noise level, if it takes one and its user told none.

        Args:
            sigma: deviation of the noise, in [0, 1].
        """
        if self.noise_level is not None or not isinstance(self.params, nnx.State):
            return self
        told = nnx.to_flat_state(nnx.filter_state(self.params, models.Told))
        if not told:
            return self
        level = nnx.from_flat_state([(path, one.replace(jnp.float32(sigma))) for path, one in told])
        return dataclasses.replace(self, params=nnx.merge_state(self.params, level))

    @property
    def note(self) -> str:
        """How a network of another framework is evaluated, in words; "" for others."""
        apply = self.apply.apply if isinstance(self.apply, _Padded) else self.apply
        return getattr(apply, "note", "")

    def check(self, x: jax.Array | np.ndarray) -> float | None:
        """How far a network of another framework is from what it was made from.

        Args:
            x: float32 [n, h, w, c] in [0, 1].

        Returns:
            Largest absolute difference of the two outputs; None if there is nothing to compare
            with: a network of JAX, or one that is called on the host.

        Raises:
            ValueError: x has another rank, or the outputs differ by more than 0.01.
        """
        if self.reference is None or "host" in self.note:
            return None
        wanted = np.asarray(self.reference(None, jnp.asarray(x, jnp.float32)))
        found = np.asarray(self(x))
        difference = float(np.abs(found - wanted).max()) if found.shape == wanted.shape else np.inf
        if not difference <= _FARTHEST:
            raise ValueError(
                f"network={self.name}: as a function of JAX it is off by {difference:.2g} at "
                f"images {np.shape(x)}; expected at most {_FARTHEST}"
            )
        return difference

    def __call__(self, x: jax.Array | np.ndarray) -> jax.Array:
        """Restores images.

        Args:
            x: float32 [n, h, w, c] in [0, 1], any height and width.

        Returns:
            The raw output, float32 [n, h * scale, w * scale, c]: neither clipped nor rounded.

        Raises:
            ValueError: x has another rank.
        """
        if np.ndim(x) != 4:
            raise ValueError(f"x has shape {np.shape(x)}; expected [n, height, width, channels]")
        x = jnp.asarray(x, jnp.float32)
        traced = any(isinstance(a, jax.core.Tracer) for a in (x, *jax.tree.leaves(self.params)))
        if traced:  # within a program that has options of its own
            return self.apply(self.params, x)
        return jitted(_call, (0,))(self.apply, self.params, x)


_FACTS = [field.name for field in dataclasses.fields(Network) if field.name != "params"]
jax.tree_util.register_dataclass(Network, data_fields=["params"], meta_fields=_FACTS)


@dataclasses.dataclass(frozen=True)
class _Module:
    """An NNX module as `apply`; one of the zoo with its name there and its arguments."""

    graph: Any
    config: tuple[tuple[str, Any], ...] | None = None
    zoo: str | None = None
    facts: tuple[int | None, int | None] | None = None
    """Receptive radius and anchor, where they are the registry's."""

    def __call__(self, params: Any, x: jax.Array) -> jax.Array:
        return nnx.merge(self.graph, params)(x)


@dataclasses.dataclass(frozen=True)
class _Tree:
    """A callable pytree as `apply`: its arrays are the parameters, all else stays as it is."""

    structure: Any
    rest: tuple[Any, ...]

    def __call__(self, params: Any, x: jax.Array) -> jax.Array:
        arrays = iter(params)
        leaves = [next(arrays) if leaf is None else leaf for leaf in self.rest]
        return jax.tree.unflatten(self.structure, leaves)(x)


@dataclasses.dataclass(frozen=True)
class _WithoutParams:
    """A function of the image alone, as `apply`."""

    function: Callable[[jax.Array], jax.Array]

    def __call__(self, params: Any, x: jax.Array) -> jax.Array:
        return self.function(x)


@dataclasses.dataclass(frozen=True)
class _Padded:
    """An `apply` on images of any size: reflected to the sides that it takes, and cut back."""

    apply: Apply
    scale: int
    multiple: int
    minimum: int

    def __call__(self, params: Any, x: jax.Array) -> jax.Array:
        h, w = x.shape[1:3]
        below, right = (
            -(-max(side, self.minimum) // self.multiple) * self.multiple - side for side in (h, w)
        )
        if not below and not right:
            return self.apply(params, x)
        x = jnp.pad(x, ((0, 0), (0, below), (0, right), (0, 0)), mode="reflect")
        return self.apply(params, x)[:, : h * self.scale, : w * self.scale]


def of_any_size(apply: Apply, scale: int, multiple: int, minimum: int = 1) -> Apply:
    """An `apply` that pads images by reflection to the sides that it takes, and cuts back."""
    return apply if multiple == minimum == 1 else _Padded(apply, scale, multiple, minimum)


def from_torch(name: str, state_dict: Mapping[str, Any], **arguments: Any) -> Network:
    """A network of the zoo with weights from a torch state dict.

    Args:
        name: one of `models.names()`.
        state_dict: arrays in torch layout under torch keys; what training codes put before every
            key (`module.`, `netG.`) is taken away, and older layouts of a network are read.
        **arguments: what the weights do not tell, see `models.describe(name).arguments`:
            `res_scale`, `range`, `scale`, `iterations`, `noise_level`.

    Raises:
        ValueError: the name or an argument is unknown, or keys are missing, unexpected or
            misshapen; of many, the first are named.
    """
    entry = models.find(name)
    try:
        built = models.build(name, state_dict, **arguments)
    except models.Misfit as error:
        hint = models.hint(name, state_dict)
        raise ValueError(f"{error}; {hint}" if hint else str(error)) from error
    facts = (built.receptive_radius, built.anchor)
    module = _Module(built.graph, tuple(built.config.items()), name, facts)
    apply = of_any_size(module, built.scale, built.size_multiple, entry.size_minimum)
    told = "noise_level" in arguments
    return Network(
        name, apply, built.state, built.scale, built.receptive_radius, built.anchor,
        built.channels, built.config["noise_level"] if told else None,
    )  # fmt: skip


def has_known_facts(network: Network) -> bool:
    """Whether radius and anchor are those of the zoo's registry, which its tests hold true."""
    apply = network.apply.apply if isinstance(network.apply, _Padded) else network.apply
    facts = (network.receptive_radius, network.anchor)
    return isinstance(apply, _Module) and apply.facts == facts


def to_torch(network: Network) -> dict[str, np.ndarray]:
    """The torch state dict of a network of the zoo, as its official code loads it strictly.

    Args:
        network: from `load` or `from_torch`.

    Returns:
        Arrays in torch layout under torch keys, tables and second names included.

    Raises:
        ValueError: the network is not one of the zoo.
    """
    apply = getattr(network, "apply", None)
    apply = apply.apply if isinstance(apply, _Padded) else apply
    if not isinstance(apply, _Module) or apply.config is None or apply.zoo is None:
        named = getattr(network, "name", type(network).__name__)
        raise ValueError(f"network={named}: expected one from cem.load or cem.from_torch")
    return models.to_torch(apply.zoo, network.params, dict(apply.config))


_FILES = (".pth", ".pt", ".safetensors")


def load(
    name: str | Path,
    weights: str | Path | None = None,
    *,
    part: str | None = None,
    label: str | None = None,
    **arguments: Any,
) -> Network:
    """A network of the zoo with its weights.

    Args:
        name: one of `models.names()`; or a file or directory as in `weights`, whose network is
            recognised by its tensors: one of the zoo's, else one that spandrel knows, if
            `cem-jax[torch]` is installed.
        weights: a `.pth`, `.pt` or `.safetensors` file or an orbax directory; None takes the
            bundled weights.
        part: the key of the state dict that is wanted, where the file holds several.
        label: what the network is called in tables and records; by default by its name and that of
            the file.
        **arguments: what the weights do not tell, see `models.describe(name).arguments`:
            `res_scale`, `range`, `scale`, `iterations`, `noise_level`.

    Raises:
        ValueError: the name or an argument is unknown, the file is unreadable or does not fit, is
            not recognised or fits several networks, or no weights are bundled (the message says
            which official file fits and where it is published).

    Examples:
        >>> import cem_jax as cem
        >>> cem.load("DnCNN-compact")
        Network(name='DnCNN-compact', scale=1, receptive_radius=12, anchor=1)
        >>> facts = cem.models.describe("DnCNN")
        >>> facts.official_files, facts.published_at
        (('dncnn_color_blind.pth',), 'github.com/cszn/KAIR')
    """
    if weights is None and _is_path(name):
        state_dict = models.read_state_dict(name, part)
        try:
            found = models.choose(state_dict, **arguments)
        except ValueError as error:
            if models.recognise(state_dict):
                raise ValueError(f"name={str(name)!r}: {error}") from error
            return _named(_beyond_the_zoo(name, state_dict, error), label or Path(name).stem)
        network = from_torch(found, state_dict, **arguments)
        return _named(network, label or f"{found} {Path(name).stem}")
    name = str(name)
    path = models.bundled_weights(name) if weights is None else weights
    if path is None:
        facts = models.describe(name)
        files = " or ".join(facts.official_files) or "no official file is known"
        raise ValueError(
            f"weights=None: {name} has no bundled weights; pass the path of {files}"
            + (f" (published at {facts.published_at})" if facts.published_at else "")
        )
    network = from_torch(name, models.read_state_dict(path, part), **arguments)
    return _named(network, label or (name if weights is None else f"{name} {Path(path).stem}"))


def _is_path(name: str | Path) -> bool:
    """Whether a first argument of `load` means a file."""
    if isinstance(name, Path):
        return True
    if name in models.names():
        return False
    return name.endswith(_FILES) or "/" in name or Path(name).is_dir()


def _beyond_the_zoo(name: str | Path, state_dict: Mapping[str, Any], refused: Exception) -> Network:
    """A network that spandrel recognises, where it is installed."""
    from cem_jax.network.spandrel import from_spandrel

    try:
        return from_spandrel(state_dict)
    except (ImportError, ValueError) as error:
        raise ValueError(f"name={str(name)!r}: {refused} ({error})") from error


def _named(network: Network, name: str) -> Network:
    return dataclasses.replace(network, name=name)


def _refuse_others(fn: Any) -> None:
    """Names the right call for what `wrap` does not take."""
    kinds = [(kind.__module__.partition(".")[0], kind.__qualname__) for kind in type(fn).__mro__]
    named = type(fn).__name__
    if ("torch", "Module") in kinds:
        raise ValueError(f"fn={named}: a torch module; call cem_jax.wrap_torch(module)")
    if ("flax", "Module") in kinds and not isinstance(fn, nnx.Module):
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


def _refuse_numpy(name: str, apply: Apply, params: Any, multiple: int) -> None:
    """Refuses a function that makes numpy arrays of its image; other errors may be the size's."""
    side = -(-32 // multiple) * multiple
    try:
        jax.eval_shape(apply, params, jax.ShapeDtypeStruct((1, side, side, 3), np.float32))
    except (jax.errors.TracerArrayConversionError, jax.errors.ConcretizationTypeError) as error:
        text = str(error).strip().split("\n")[0][:200]
        raise ValueError(
            f"fn={name}: expected a function of jax.numpy; it asks for the image's values ({text})"
        ) from error
    except Exception:  # an image of this size or of these channels may be none that it takes
        return


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
    _refuse_others(fn)
    if not callable(fn):
        raise ValueError(f"fn={fn!r}: expected a function of an image")
    scale = whole_number("scale", scale, 1)
    multiple = whole_number("size_multiple", size_multiple, 1)
    own = getattr(fn, "__name__", type(fn).__name__)
    called = own if name is None else as_text("name", name)
    apply: Apply
    if isinstance(fn, nnx.Module):
        graph, params = nnx.split(fn)
        apply = _Module(graph)
    elif params is None and not jax.tree_util.all_leaves([fn]):
        leaves, structure = jax.tree.flatten(fn)
        params = [leaf for leaf in leaves if isinstance(leaf, _ARRAYS)]
        rest = tuple(None if isinstance(leaf, _ARRAYS) else leaf for leaf in leaves)
        apply = _Tree(structure, rest)
    else:
        apply = fn if params is not None else _WithoutParams(fn)
    try:
        hash(apply)
    except TypeError as error:
        raise ValueError(f"fn={called}: {error}; pass what it holds as params=") from error
    if apply is fn or isinstance(apply, _WithoutParams):
        _refuse_numpy(called, apply, params, multiple)
    apply = of_any_size(apply, scale, multiple)
    return Network(called, apply, params, scale, receptive_radius, anchor=multiple)
