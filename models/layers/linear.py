"""Linear layer over the last axis."""

import jax
import jax.numpy as jnp
from flax import nnx
from jaxtyping import Float


class Linear(nnx.Module):
    """x @ kernel + bias; `kernel` is [in, out], `bias` [out].

    Args:
        in_features: channels of the input.
        out_features: channels of the output.
        use_bias: whether a bias is added.
        rngs: source of the initial kernel, a truncated normal of deviation 0.02.
    """

    def __init__(
        self, in_features: int, out_features: int, *, use_bias: bool = True, rngs: nnx.Rngs
    ):
        init = jax.nn.initializers.truncated_normal(0.02)
        self.kernel = nnx.Param(init(rngs.params(), (in_features, out_features)))
        self.bias = nnx.Param(jnp.zeros(out_features)) if use_bias else None

    def __call__(self, x: Float[jax.Array, "*axes c"]) -> Float[jax.Array, "*axes C"]:
        """[..., in] -> [..., out]."""
        y = jnp.matmul(x, self.kernel[...])
        if self.bias is None:
            return y
        return y + jnp.reshape(self.bias[...], (1,) * (x.ndim - 1) + (-1,))
