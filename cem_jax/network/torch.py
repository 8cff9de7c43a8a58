"""Torch modules as networks: as functions of JAX, or called on the host where that fails."""

import contextlib
import copy
import dataclasses
import functools
import threading
import warnings
from collections.abc import Iterator
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from cem_jax.arguments import whole_number
from cem_jax.network import aten
from cem_jax.network.half import half_types, in_float32, seeing_autocast, widen
from cem_jax.network.host import OnHost, Original
from cem_jax.network.host_digest import digest_module
from cem_jax.network.network import Network, of_any_size
from cem_jax.network.torch_result import image_of
from cem_jax.network.torch_script import holds_script, widened_graph, written_out
from cem_jax.network.torch_signature import refuse_more_than_image

_SIDE = 64
"""Of the image that is tried when a network is asked what it is before it has seen one."""

_CLASH = "got multiple values for argument 'mod'"
"""Of modules that give a part an argument by this name, which torch.export keeps for itself."""

_COMPILED = "_orig_mod"
"""Attribute in which `torch.compile` keeps the module itself."""

_REWRITES = "update_params"
"""Method by which modules (SPAN's) write the kernel of their inference form at each call."""


def wrap_torch(
    module: Any,
    *,
    scale: int = 1,
    name: str | None = None,
    receptive_radius: int | None = None,
    size_multiple: int = 1,
    size_minimum: int = 1,
) -> Network:
    """A torch module as a network of JAX, by torch's own export.

    The module is copied with its weights as they are, and the copy is put into evaluation mode.
    Weights in half precision become float32, which holds the same values, and so does all that is
    computed from them, or within `torch.autocast`.
    For each size of image torch exports its operations once, and these are evaluated by JAX: with
    its devices, compiler, gradients and the causal cone. Where an operation has no counterpart,
    torch is called on the host instead, and `network.note` says so. Noise that a module draws is
    drawn once.

    Args:
        module: a `torch.nn.Module`, NCHW in [0, 1] in and out.
        scale: output pixels per input pixel.
        name: what it is called; by default the module's class.
        receptive_radius: farthest input pixel that reaches an output pixel; None if unknown: it is
            then found where the module's operations show it.
        size_multiple: of which it needs an image's sides, in input pixels; see `wrap`.
        size_minimum: shortest side that it takes; shorter ones are padded.

    Raises:
        ImportError: torch is not installed.
        ValueError: module is no torch module or needs more than an image, or scale,
            receptive_radius, size_multiple or size_minimum is out of range.
    """
    try:
        import torch  # pyright: ignore[reportMissingImports]
    except ImportError as error:
        raise ImportError("wrap_torch needs torch: pip install 'cem-jax[torch]'") from error
    if not isinstance(module, torch.nn.Module):
        text = f"module={type(module).__name__}: expected a torch.nn.Module"
        if isinstance(module, torch.export.ExportedProgram):
            text += "; call cem_jax.wrap_torch(program.module())"
        raise ValueError(text)
    module = getattr(module, _COMPILED, module)
    scale = whole_number("scale", scale, 1)
    if receptive_radius is not None:
        receptive_radius = whole_number("receptive_radius", receptive_radius, 0)
    multiple = whole_number("size_multiple", size_multiple, 1)
    minimum = whole_number("size_minimum", size_minimum, 1)
    called: str = name or type(module).__name__
    refuse_more_than_image(module, called)
    copied, halves = _copied(torch, module, called), half_types(torch, module)
    scripted = holds_script(torch, copied)
    if halves and not scripted:  # a script's code names its types
        widen(torch, copied)
    function = _Function(copied, called, max(minimum, multiple), tuple(halves), scripted)
    apply = of_any_size(function, scale, multiple, minimum)
    return Network(
        called, apply, function.params(), scale, receptive_radius, anchor=multiple,
        reference=of_any_size(function.original, scale, multiple, minimum),
    )  # fmt: skip


def _copied(torch: Any, module: Any, name: str) -> Any:
    """A copy in evaluation mode, whose weights share nothing with the module's."""
    try:
        with torch.no_grad():
            copied = copy.deepcopy(module, _computed(torch, module)).eval()
            _leave_compilers_out(copied)
            for weight in copied.parameters():
                weight.requires_grad_(False)
    except Exception as error:  # what a module holds may refuse for any reason
        text = " ".join(str(error).split())[:200]
        raise ValueError(f"module={name}: it cannot be copied ({text})") from error
    if any(t.is_meta for t in (*copied.parameters(), *copied.buffers())):
        raise ValueError(f"module={name}: its weights are on torch's device meta, without values")
    for part in copied.modules():
        if callable(update := getattr(part, _REWRITES, None)):
            with torch.no_grad():
                update()
            setattr(part, _REWRITES, _nothing)
    return copied


def _leave_compilers_out(module: Any) -> None:
    """Takes the parts of a module as they were before `torch.compile`; JAX compiles here."""
    module._compiled_call_impl = None
    for name, part in list(module.named_children()):
        own = getattr(part, _COMPILED, part)
        setattr(module, name, own)
        _leave_compilers_out(own)


def _computed(torch: Any, module: Any) -> dict[int, Any]:
    """Copies of the attributes that a module computes of its parameters, which torch does not copy.

    `torch.nn.utils.weight_norm` and `spectral_norm` leave such a weight.
    """
    held = [value for part in module.modules() for value in vars(part).values()]
    return {
        id(value): value.detach().clone()
        for value in held
        if isinstance(value, torch.Tensor) and not value.is_leaf
    }


def _nothing() -> None:
    """What is left to do for a module in its inference form."""


@dataclasses.dataclass(frozen=True, eq=False)
class _Function:
    """A torch module as `apply`; one export for each size of image.

    Args:
        module: in evaluation mode, its own.
        name: for messages.
        least: side from which on it takes images.
        halves: types of half precision that its weights had before they were widened.
        scripted: whether it holds TorchScript, which is written out for each size.
        autocast: what `torch.autocast` would cast to where the module itself is called; empty
            before that was tried.
        graphs: what was written out, by size, and the module's keys of its weights.
        programs: by size [h, w, c]; None where the module is called on the host.
        reasons: why it is, by size.
        lock: JAX calls from one thread a device.
    """

    module: Any
    name: str
    least: int
    halves: tuple[str, ...] = ()
    scripted: bool = False
    autocast: list[tuple[str, ...]] = dataclasses.field(default_factory=list)
    graphs: dict[tuple[int, ...], tuple[Any, dict[str, str]]] = dataclasses.field(
        default_factory=dict
    )
    programs: dict[tuple[int, ...], aten.ExportedModule | None] = dataclasses.field(
        default_factory=dict
    )
    reasons: dict[tuple[int, ...], str] = dataclasses.field(default_factory=dict)
    lock: Any = dataclasses.field(default_factory=threading.RLock)

    def __call__(self, params: Any, x: jax.Array) -> jax.Array:
        """[n, h, w, c] -> [n, h', w', c']; every image by itself."""
        program = self.program(tuple(x.shape[1:]))
        if program is None:
            return self.original(None, x)
        own = {} if params is None else params
        if len(x) == 1:
            return aten.run(program, own, x)
        return jax.vmap(lambda image: aten.run(program, own, image[None])[0])(x)

    def params(self) -> dict[str, np.ndarray]:
        """The module's parameters by torch's keys."""
        return {key: _array(value) for key, value in self.module.named_parameters()}

    @property
    def on_host(self) -> bool:
        """Whether torch is called for images of some size; tried with a small one if none was."""
        return bool(self._told())

    def _told(self) -> list[str]:
        """Why torch is called on the host; none where it is not."""
        with self.lock:
            if not self.programs:
                self._probe()
            return list(dict.fromkeys(self.reasons.values()))

    @property
    def note(self) -> str:
        """How the module is evaluated, in words; tried with a small image if none was seen."""
        if reasons := self._told():
            return self.original.because(reasons[0])
        text = "JAX runs what torch.export exported"
        if any(p is not None and p.has_open_order for p in self.programs.values()):
            text += (
                "; torch.sort leaves the order of equal elements open, and here they keep theirs"
            )
        return text + self._widened()

    def _widened(self) -> str:
        text = ""
        if self.halves:
            text = (
                f"; its weights of {' and '.join(self.halves)} are widened to float32, which "
                "changes none of them, and all is computed in float32"
            )
        exported = [program.autocast for program in self.programs.values() if program is not None]
        if types := sorted({name for one in (*exported, *self.autocast) for name in one}):
            text += f"; what torch.autocast would cast to {' and '.join(types)} stays float32"
        return text

    def _probe(self) -> None:
        side = -(-max(_SIDE, self.least) // self.least) * self.least
        weights = [p for p in self.module.parameters() if p.ndim == 4]
        channels = dict.fromkeys([3, *(int(w.shape[1]) for w in weights[:1]), 1])
        for count in channels:
            size = (side, side, count)
            if self.program(size) is not None:
                break
        else:
            return
        for other in [s for s in self.reasons if s != size]:  # channels that it does not take
            del self.programs[other], self.reasons[other]

    def program(self, size: tuple[int, ...]) -> aten.ExportedModule | None:
        """The export for one size of image; None if the module is called on the host."""
        with self.lock:
            if size not in self.programs:
                try:
                    self.programs[size] = self._exported(size)
                except aten.NotNative as error:
                    self.programs[size], self.reasons[size] = None, str(error)
                    if any(self.programs.values()):
                        warnings.warn(
                            f"network={self.name}: images [h, w, c] = {size} are restored by torch "
                            f"on the host ({error})",
                            stacklevel=2,
                        )
            return self.programs[size]

    def _exported(self, size: tuple[int, ...]) -> aten.ExportedModule:
        from cem_jax.network.aten.export import export

        height, width, channels = size
        shape = (1, channels, height, width)
        if self.scripted:
            graph, keys = self._written_out(size)
            program = export(graph, shape, _kind(graph)[1], keys)
        else:
            module, (device, dtype) = self.module, _kind(self.module)
            if device.type != "cpu":
                module = copy.deepcopy(module).to("cpu")
            try:
                with self._types, _image_alone(module):
                    program = export(module, shape, dtype)
            except aten.NotNative as error:
                if _CLASH not in str(error):
                    raise
                with self._types:
                    graph, keys = self._written_out(size)
                    program = export(graph, shape, dtype, keys)
        shapes = {
            key: jax.ShapeDtypeStruct(value.shape, value.dtype)
            for key, value in self.params().items()
        }
        jax.eval_shape(
            lambda params, x: aten.run(program, params, x),
            shapes, jax.ShapeDtypeStruct((1, *size), jnp.float32),
        )  # fmt: skip
        return program

    @property
    def _types(self) -> contextlib.AbstractContextManager[Any]:
        """Within which the module runs: a widened one knows no half precision."""
        import torch  # pyright: ignore[reportMissingImports]

        return in_float32(torch) if self.halves or any(self.autocast) else contextlib.nullcontext()

    def _written_out(self, size: tuple[int, ...]) -> tuple[Any, dict[str, str]]:
        """The operations of a module that holds TorchScript, and its keys of their weights.

        Raises:
            NotNative: torch cannot record them.
        """
        import torch  # pyright: ignore[reportMissingImports]

        if size not in self.graphs:
            module, (device, dtype) = self.module, _kind(self.module)
            if device.type != "cpu":
                module = copy.deepcopy(module).to("cpu")
            height, width, channels = size
            image = torch.zeros((1, channels, height, width), dtype=dtype)
            try:
                graph, keys = written_out(
                    torch, module, lambda x: image_of(torch, module(x)), image
                )
            except Exception as error:  # whatever the script raises
                text = (str(error).strip().splitlines() or [""])[-1][:200]
                raise aten.NotNative(
                    f"its TorchScript cannot be recorded ({type(error).__name__}: {text})"
                ) from error
            self.graphs[size] = (widened_graph(torch, graph) if self.halves else graph), keys
        return self.graphs[size]

    @functools.cached_property
    def original(self) -> Original:
        """The module itself, called in batches."""
        digest = functools.partial(digest_module, self.module)
        return Original(OnHost(self._forward, self.name, digest, also=self._widened), "torch")

    def _forward(self, x: np.ndarray) -> np.ndarray:
        import torch  # pyright: ignore[reportMissingImports]

        # In inference mode no module could take gradients of its own.
        with self.lock, torch.no_grad(), _same_noise(torch):
            if not self.autocast:
                seen: set[str] = set()
                with seeing_autocast(torch, seen), contextlib.suppress(Exception):
                    self._called(x)  # what it cannot take, it says when it is called
                self.autocast.append(tuple(sorted(seen)))
            with self._types:
                return self._called(x).detach().to("cpu", torch.float32).numpy()

    def _called(self, x: np.ndarray) -> Any:
        """What the module itself makes of images [n, c, h, w]."""
        import torch  # pyright: ignore[reportMissingImports]

        if self.scripted and self.halves:  # itself it would round
            with contextlib.suppress(aten.NotNative):
                graph, _ = self._written_out((*x.shape[2:], x.shape[1]))
                image = torch.from_numpy(x).to(*_kind(graph))
                return torch.cat([graph(one) for one in image.split(1)])
        return image_of(torch, self.module(torch.from_numpy(x).to(*_kind(self.module))))


@contextlib.contextmanager
def _image_alone(module: Any) -> Iterator[None]:
    """Within it, a module returns the image that its result holds."""
    import torch  # pyright: ignore[reportMissingImports]

    hook = module.register_forward_hook(lambda _, __, result: image_of(torch, result))
    try:
        yield
    finally:
        hook.remove()


def _kind(module: Any) -> tuple[Any, Any]:
    """Where a module lies, and its floating type."""
    import torch  # pyright: ignore[reportMissingImports]

    tensors = (*module.parameters(), *module.buffers())
    like = next((t for t in tensors if t.is_floating_point()), torch.empty(0))
    return like.device, like.dtype


def _array(tensor: Any) -> np.ndarray:
    """A parameter in numpy; half precision as float32, which holds the same values."""
    import torch  # pyright: ignore[reportMissingImports]

    tensor = tensor.detach().cpu()
    half = tensor.dtype in (torch.bfloat16, torch.float16, torch.float64)
    return (tensor.float() if half else tensor).numpy()


@contextlib.contextmanager
def _same_noise(torch: Any) -> Iterator[None]:
    """Noise as an export draws it; torch's own generator is left as it was."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(aten.SEED)
        yield
