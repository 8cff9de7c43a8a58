"""Attention between all pixels of feature maps."""

import jax
import jax.numpy as jnp


def non_local(
    queries: jax.Array, keys: jax.Array, values: jax.Array, softmax_axis: int = -1
) -> jax.Array:
    """softmax(queries keys^T) values, without scaling of the products.

    Args:
        queries: [n, h, w, c].
        keys: [n, h', w', c].
        values: [n, h', w', d].
        softmax_axis: -1 weighs the keys of a query against each other, 1 the queries of a key.

    Returns:
        [n, h, w, d].
    """
    n, h, w, channels = queries.shape
    queries = queries.reshape(n, h * w, channels)
    keys = keys.reshape(n, -1, channels)
    products = jnp.einsum("nqc,nkc->nqk", queries, keys)
    weights = jax.nn.softmax(products, axis=softmax_axis)
    mixed = jnp.einsum("nqk,nkd->nqd", weights, values.reshape(n, keys.shape[1], -1))
    return mixed.reshape(n, h, w, -1)
