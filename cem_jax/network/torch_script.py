"""Modules that hold TorchScript, written out as the operations on an image of one size.

torch exports no scripts. Their operations are recorded as they run, branches and loops decided by
the image's size. What is computed of sizes alone, as traced scripts do in tensors of one number, is
no operation. A script that decides by the image's values is refused.
"""

import copy
import operator
from typing import Any

from cem_jax.network.half import widen


def holds_script(torch: Any, module: Any) -> bool:
    """Whether a module, or a part of it, is scripted, traced or loaded as TorchScript.

    Args:
        torch: the package.
        module: a `torch.nn.Module`.
    """
    return any(isinstance(part, torch.jit.ScriptModule) for part in module.modules())


def written_out(torch: Any, module: Any, call: Any, image: Any) -> tuple[Any, dict[str, str]]:
    """The operations of a call as a module.

    Args:
        torch: the package.
        module: whose weights it uses.
        call: of an image, returns one.
        image: of the size and type that it is called with.

    Returns:
        A `torch.fx.GraphModule`, and the module's keys by those of its parameters.

    Raises:
        ValueError: the image's values decide what is done.
    """
    TorchDispatchMode = torch.utils._python_dispatch.TorchDispatchMode
    tree_leaves = torch.utils._pytree.tree_leaves

    graph, root = torch.fx.Graph(), torch.nn.Module()
    weights = {id(weight): key for key, weight in module.named_parameters()}
    keys: dict[str, str] = {}
    nodes = {id(image): graph.placeholder("image")}
    kept: list[Any] = [image]  # so that no other tensor gets the id of one that is gone

    decides: list[Exception] = []

    def follow(tensor: Any, node: Any) -> None:
        kept.append(tensor)
        nodes[id(tensor)] = node

    def written(value: Any) -> Any:
        if not isinstance(value, torch.Tensor):
            return value
        if id(value) not in nodes:
            name = f"tensor_{len(kept)}"
            if id(value) in weights:  # those of scripts are no parameters by type
                root.register_parameter(name, torch.nn.Parameter(value, requires_grad=False))
                keys[name] = weights[id(value)]
            else:
                root.register_buffer(name, value)
            follow(value, graph.get_attr(name))
        return nodes[id(value)]

    def chooses(func: Any, given: list[Any]) -> bool:
        """Whether the shape of a result depends on values."""
        if torch.Tag.dynamic_output_shape not in func.tags:
            return False
        masks = (torch.bool, torch.uint8)
        indexes = str(func).startswith("aten.index.")
        return not indexes or any(index.dtype in masks for index in given[1:])

    class Recorder(TorchDispatchMode):
        def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None):
            options = kwargs or {}
            given = [t for t in tree_leaves((args, options)) if isinstance(t, torch.Tensor)]
            result = func(*args, **options)
            made = [t for t in tree_leaves(result) if isinstance(t, torch.Tensor)]
            of_sizes = all(not t.ndim and id(t) not in nodes and id(t) not in weights
                           for t in given)  # fmt: skip
            if of_sizes and not any(t.ndim for t in made):
                kept.extend(made)
                return result
            if result is None:  # a check of shapes
                return result
            if not made or chooses(func, given):
                decides.append(ValueError(f"the image's values decide what is done ({func})"))
                raise decides[0]
            map_ = torch.fx.node.map_aggregate
            node = graph.call_function(func, map_(args, written), map_(options, written))
            if isinstance(result, torch.Tensor):
                follow(result, node)
            else:
                for place, tensor in enumerate(result):
                    if isinstance(tensor, torch.Tensor):
                        follow(tensor, graph.call_function(operator.getitem, (node, place)))
            return result

    # What rewrites a script before it runs compares its constants, which is no part of it.
    with torch.no_grad(), torch.jit.optimized_execution(False), Recorder():
        try:
            result = call(image)
        except Exception as error:  # the interpreter of scripts keeps no reason of Python's
            raise (decides or [error])[0] from error
    graph.output(written(result))
    return torch.fx.GraphModule(root, graph), keys


def widened_graph(torch: Any, graph: Any) -> Any:
    """The same operations, in float32 where they are in half precision, with widened weights.

    Args:
        torch: the package.
        graph: a `torch.fx.GraphModule`.
    """
    halves = (torch.float16, torch.bfloat16)

    def wide(value: Any) -> Any:
        return torch.float32 if isinstance(value, torch.dtype) and value in halves else value

    own = copy.deepcopy(graph)
    widen(torch, own)
    for node in own.graph.nodes:
        node.args = torch.fx.node.map_aggregate(node.args, wide)
        node.kwargs = torch.fx.node.map_aggregate(node.kwargs, wide)
    own.recompile()
    return own
