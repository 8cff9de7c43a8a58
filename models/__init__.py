"""Image-restoration networks in Flax NNX; nothing here knows of causal effects.

As in `cem_jax`, a module is imported when one of its names is first used: names and facts of
networks need no JAX.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "argument": ["ArgumentFacts"],
        "checkpoint": ["read_state_dict"],
        "facts": ["Description", "bundled_weights", "describe", "names"],
        "recognition": ["choose", "recognise"],
        "registry": ["Built", "build", "check_arguments", "find", "to_torch"],
        "written_anew": ["export"],
    },
)
