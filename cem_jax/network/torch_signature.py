"""What a torch module takes beside the image, and how that is fixed."""

import inspect
from typing import Any


def refuse_more_than_image(module: Any, name: str) -> None:
    """Refuses a module whose `forward` cannot be called with an image alone.

    Args:
        module: a `torch.nn.Module`.
        name: what it is called.

    Raises:
        ValueError: it takes no image, or more; the message shows the module that fixes the rest.
    """
    try:
        signature = inspect.signature(module.forward)
    except (ValueError, TypeError):  # functions in C need not have one
        return
    own = list(signature.parameters.values())
    by_place = [one for one in own if one.kind in (one.POSITIONAL_ONLY, one.POSITIONAL_OR_KEYWORD)]
    if not by_place and not any(one.kind is one.VAR_POSITIONAL for one in own):
        raise ValueError(
            f"module={name}: its forward{signature} takes no image; expected forward(x)"
        )
    named = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD,
             inspect.Parameter.KEYWORD_ONLY)  # fmt: skip
    more = [
        one for one in own
        if one not in by_place[:1] and one.kind in named and one.default is inspect.Parameter.empty
    ]  # fmt: skip
    if not more:
        return
    fixed = ", ".join(
        "..." if one.kind is one.POSITIONAL_ONLY else f"{one.name}=..." for one in more
    )
    takes = ", ".join(("image", *(one.name for one in own if one not in by_place[:1])))
    needed = " and ".join(one.name for one in more)
    raise ValueError(
        f"module={name}: its forward({takes}) needs {needed} beside the image; "
        "expected a module of the image alone. Fix the rest in one, and give "
        "OfImage(module) to wrap_torch:\n"
        "class OfImage(torch.nn.Module):\n"
        "    def __init__(self, module): super().__init__(); self.module = module\n"
        f"    def forward(self, x): return self.module(x, {fixed})"
    )
