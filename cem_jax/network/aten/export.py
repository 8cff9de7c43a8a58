"""A torch module as a program, by torch's own export."""

import contextlib
import dataclasses
import io
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from cem_jax.network.half import in_float32, without_autocast

from .program import SEED, ExportedModule, NotNative, Ref, Step, without_counterpart
from .table import TABLE

_WHOLE = (
    "upsample_nearest1d", "upsample_nearest2d", "upsample_nearest3d", "upsample_linear1d",
    "upsample_bilinear2d", "upsample_bicubic2d", "_upsample_nearest_exact1d",
    "_upsample_nearest_exact2d", "_upsample_bilinear2d_aa", "_upsample_bicubic2d_aa",
    "pixel_shuffle", "pixel_unshuffle", "channel_shuffle", "roll", "grid_sampler_2d",
    "reflection_pad1d", "reflection_pad2d", "replication_pad1d", "replication_pad2d",
    "im2col", "col2im", "unfold", "gelu", "_softmax", "native_layer_norm", "native_group_norm",
    "leaky_relu", "silu", "softplus", "elu", "hardswish", "hardsigmoid", "mish", "stack",
    "adaptive_avg_pool2d", "adaptive_max_pool2d", "index_select", "unbind", "addcmul", "addcdiv",
    "lerp", "baddbmm", "masked_fill", "linalg_vector_norm", "avg_pool1d",
)  # fmt: skip
"""Operations of the table that torch would write as many, some of which hide their locality."""

_FILLED = {"zeros_like": 0, "ones_like": 1, "full_like": None, "empty_like": 0, "new_zeros": 0,
           "new_ones": 1, "new_full": None, "new_empty": 0}  # fmt: skip
"""Operations that take an image for its shape alone, and what they fill it with."""

_LIKE = ("bernoulli", "exponential", "normal_functional", "rand_like", "randint_like",
         "randn_like", "uniform")  # fmt: skip
"""Operations that draw random numbers of the shape of their first argument."""

_NOTHING = ("_linalg_check_errors", "_assert_scalar", "_assert_async", "sym_constrain_range",
            "sym_constrain_range_for_size", "_assert_tensor_metadata")  # fmt: skip
"""Operations that only check what torch knows of a shape."""

_IGNORED = ("device", "layout", "pin_memory", "memory_format", "non_blocking", "dtype")
"""Options that say nothing about values: what type a result has is known."""


def export(
    module: Any, shape: Sequence[int], dtype: Any, keys: Mapping[str, str] | None = None
) -> ExportedModule:
    """What a module does with one image. What it does within `torch.autocast` is not cast.

    Args:
        module: a `torch.nn.Module` in evaluation mode, on the CPU.
        shape: of the image, [1, c, h, w].
        dtype: torch's type of the image.
        keys: of the program's parameters by the module's; they are the same if it is left out.

    Returns:
        The program, whose every operation is in the table.

    Raises:
        NotNative: torch cannot export it, it draws random numbers, or an operation is missing.
    """
    import torch

    # torch prints what it had exported before it fails; the reason alone goes to the caller.
    quiet = contextlib.redirect_stderr(io.StringIO())
    with warnings.catch_warnings(), torch.no_grad(), quiet:
        warnings.simplefilter("ignore")
        try:
            image = torch.zeros(tuple(shape), dtype=dtype)
            exported = torch.export.export(module, (image,), strict=False)
            autocast = without_autocast(torch, exported.graph_module)
            if autocast:  # types that its code casts to then are to go too
                with in_float32(torch):
                    exported = torch.export.export(module, (image,), strict=False)
                without_autocast(torch, exported.graph_module)
            table = torch.export.default_decompositions()
            for key in list(table):
                if _name(key) in _WHOLE:
                    table.pop(key)
            exported = exported.run_decompositions(table)
        except Exception as error:  # torch has as many as modules have reasons
            text = str(error).strip().split("\n")[0][:200]
            raise NotNative(f"torch.export refuses it ({type(error).__name__}: {text})") from error
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            reader = _Reader(torch, exported, keys or _first_keys(module))
            program = reader.program(str(dtype).removeprefix("torch."))
            return dataclasses.replace(program, autocast=tuple(autocast))


def _name(target: Any) -> str:
    """aten.add.Tensor -> add; of another package, torchvision.nms.default -> torchvision.nms."""
    package, *rest = str(target).split(".")
    return rest[0] if package == "aten" and rest else ".".join([package, *rest[:1]])


def _first_keys(module: Any) -> dict[str, str]:
    """Of every key of a parameter, the first one: parts that are used twice have several."""
    first: dict[int, str] = {}
    named = module.named_parameters(remove_duplicate=False)
    return {key: first.setdefault(id(value), key) for key, value in named}


def _path(node: Any) -> str:
    """The module that an operation of the export belongs to, as torch's keys name it."""
    stack = list((node.meta.get("nn_module_stack") or {}).values())
    return str(stack[-1][0]) if stack else ""


class _Reader:
    """Reads an exported program; what neither image nor parameters enter is computed."""

    def __init__(self, torch: Any, exported: Any, first_keys: Mapping[str, str]) -> None:
        self.torch = torch
        self.exported = exported
        self.first_keys = first_keys
        self.steps: list[Step] = []
        self.params: dict[int, str] = {}
        self.constants: dict[int, np.ndarray] = {}
        self.same: dict[tuple[Any, ...], Ref] = {}
        self.done: dict[str, Ref] = {}
        self.count = 0

    def new(self) -> Ref:
        self.count += 1
        return Ref(self.count - 1)

    def program(self, dtype: str) -> ExportedModule:
        exported, signature = self.exported, self.exported.graph_signature
        inputs: list[Any] = []
        image = None
        for spec in signature.input_specs:
            kind, target = spec.kind.name, spec.target
            if kind == "USER_INPUT":
                inputs.append(image := self.new())
            elif kind == "PARAMETER":
                inputs.append(ref := self.new())
                self.params[ref.number] = self.first_keys[target]
            elif target in exported.constants:
                inputs.append(exported.constants[target])
            elif target in exported.state_dict:
                inputs.append(exported.state_dict[target])
            elif kind == "TOKEN":  # keeps checks in order
                inputs.append(None)
            else:
                raise NotNative(f"torch.export gives its program a {kind.lower()} beside the image")
        outputs = self.graph(exported.graph_module, inputs)
        wanted = [
            output
            for output, spec in zip(outputs, signature.output_specs, strict=True)
            if spec.kind.name == "USER_OUTPUT" and output is not None
        ]
        if len(wanted) != 1 or image is None:
            raise NotNative(f"it has {len(wanted)} results where one image is expected")
        result = self.ref(wanted[0]) if self.is_tensor(wanted[0]) else wanted[0]
        if not isinstance(result, Ref):
            raise NotNative(f"it returns a {type(result).__name__} where one tensor is expected")
        return ExportedModule(
            tuple(self.live(result.number)), image.number, self.params, self.constants,
            result.number, dtype,
        )  # fmt: skip

    def live(self, output: int) -> list[Step]:
        """The steps that the result needs; constants and parameters of others go."""
        needed, kept = {output}, []
        for step in reversed(self.steps):
            if step.result in needed:
                needed.update(ref.number for ref in _refs((step.args, step.options)))
                kept.append(step)
        self.constants = {n: array for n, array in self.constants.items() if n in needed}
        self.params = {n: key for n, key in self.params.items() if n in needed}
        missing = sorted({step.name for step in kept} - set(TABLE) - {"getitem"})
        if missing:
            raise without_counterpart([n if "." in n else f"aten.{n}" for n in missing])
        return kept[::-1]

    def is_tensor(self, value: Any) -> bool:
        return isinstance(value, self.torch.Tensor)

    def ref(self, tensor: Any) -> Ref:
        """The number of a known tensor; equal ones share theirs."""
        array = self.array(tensor)
        key = (array.shape, str(array.dtype), array.tobytes())
        if key not in self.same:
            self.same[key] = self.new()
            self.constants[self.same[key].number] = array
        return self.same[key]

    def array(self, tensor: Any) -> np.ndarray:
        tensor = tensor.detach().cpu()
        if tensor.dtype in (self.torch.bfloat16, self.torch.float16):
            tensor = tensor.float()
        return tensor.resolve_conj().numpy().copy()

    def graph(self, module: Any, inputs: Sequence[Any]) -> list[Any]:
        env: dict[Any, Any] = {}
        left = iter(inputs)
        for node in module.graph.nodes:
            if node.op == "placeholder":
                env[node] = next(left)
            elif node.op == "get_attr":
                value = module
                for part in node.target.split("."):
                    value = getattr(value, part)
                env[node] = value
            elif node.op == "output":
                found = self.mapped(node.args[0], env)
                return list(found) if isinstance(found, list | tuple) else [found]
            else:
                env[node] = self.call(node, env)
        raise NotNative("torch.export made a graph without a result")

    def mapped(self, value: Any, env: dict[Any, Any]) -> Any:
        if isinstance(value, dict):
            return {key: self.mapped(own, env) for key, own in value.items()}
        if isinstance(value, list | tuple):
            return [self.mapped(own, env) for own in value]
        return env[value] if isinstance(value, self.torch.fx.Node) else value

    def call(self, node: Any, env: dict[Any, Any]) -> Any:
        args, options = self.mapped(node.args, env), self.mapped(node.kwargs, env)
        name, target = _name(node.target), node.target
        inner = [k for k, value in enumerate(args) if isinstance(value, self.torch.fx.GraphModule)]
        if name == "cond":
            return self.chosen(*args)
        if name == "with_effects":  # a token, an operation that only checks, what it checks
            if _name(args[1]) not in _NOTHING:
                raise without_counterpart([f"torch's {args[1]}"])
            return [None, None]
        if inner:  # a context such as torch.no_grad() around a part of the network
            if not str(target).startswith("wrap_with"):
                raise without_counterpart([f"torch's {target}"])
            return self.graph(args[inner[0]], args[inner[0] + 1 :])
        if getattr(target, "__name__", "") == "getitem":
            if not isinstance(args[0], Ref):
                return args[0][args[1]]
            name = "getitem"
        value = node.meta.get("val")
        if name in _NOTHING:
            return None
        if name in _LIKE and isinstance(args[0], Ref):
            like = node.args[0].meta["val"]
            args[0] = self.torch.zeros(tuple(like.shape), dtype=like.dtype)
        if not any(_refs((args, options))):
            return target(*args, **options)
        if name in _FILLED:
            fill = _FILLED[name]
            if fill is None:
                fill = args[1] if name == "full_like" else args[2]
            return self.torch.full(tuple(value.shape), fill, dtype=value.dtype)
        own = self.known(args)
        named = {key: v for key, v in self.known(options).items() if key not in _IGNORED}
        shape = dtype = None
        if self.is_tensor(value) and all(isinstance(n, int) for n in value.shape):
            shape, dtype = tuple(value.shape), str(value.dtype).removeprefix("torch.")
        key = repr((name, own, named, dtype))
        if key in self.done:
            return self.done[key]
        result = self.done[key] = self.new()
        path = _path(node)
        self.steps.append(Step(name, tuple(own), named, result.number, shape, dtype, path))
        return result

    def chosen(self, which: Any, first: Any, second: Any, operands: Sequence[Any]) -> list[Any]:
        """The results of one of two graphs: both are computed."""
        results = [self.graph(graph, operands) for graph in (first, second)]
        if not isinstance(which, Ref):
            return results[0 if which else 1]
        found = []
        for pair in zip(*results, strict=True):
            ref = self.new()
            self.steps.append(
                Step("where", (which, *map(self.known, pair)), {}, ref.number, None, None)
            )
            found.append(ref)
        return found

    def known(self, value: Any) -> Any:
        """Arguments without anything of torch."""
        if isinstance(value, dict):
            return {key: self.known(own) for key, own in value.items()}
        if isinstance(value, list | tuple):
            return [self.known(own) for own in value]
        if self.is_tensor(value):
            return self.ref(value)
        if isinstance(value, self.torch.dtype):
            return str(value).removeprefix("torch.")
        return value


def _refs(value: Any) -> Any:
    """All of them in nested arguments."""
    if isinstance(value, Ref):
        yield value
    elif isinstance(value, dict):
        for own in value.values():
            yield from _refs(own)
    elif isinstance(value, list | tuple):
        for own in value:
            yield from _refs(own)
