"""Inverses, factors and functions of matrices, which are the last two axes.

torch returns with many of them what else their algorithm found, which networks do not use.
"""

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from .operation import Operation, plain


def _solve(a: Any, b: Any, *, left: bool = True, **_: Any) -> tuple[Any, ...]:
    vector = b.ndim == 1 or (b.ndim == a.ndim - 1 and b.shape == a.shape[:-1])
    b = b[..., None] if vector else b
    shape = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = (jnp.broadcast_to(x, (*shape, *x.shape[-2:])) for x in (a, b))
    x = jnp.linalg.solve(a, b) if left else jnp.linalg.solve(a.mT, b.mT).mT
    return x[..., 0] if vector else x, None, None, jnp.zeros(a.shape[:-2], jnp.int32)


def _triangular(
    a: Any, b: Any, *, upper: bool, left: bool = True, unitriangular: bool = False
) -> Any:
    shape = jnp.broadcast_shapes(a.shape[:-2], b.shape[:-2])
    a, b = (jnp.broadcast_to(x, (*shape, *x.shape[-2:])) for x in (a, b))
    return lax.linalg.triangular_solve(
        a, b, left_side=left, lower=not upper, unit_diagonal=unitriangular
    )


def _cholesky(a: Any, *, upper: bool = False, **_: Any) -> tuple[Any, Any]:
    found = jnp.linalg.cholesky(a, symmetrize_input=False)
    return found.mT if upper else found, jnp.zeros(a.shape[:-2], jnp.int32)


def _eigh(a: Any, side: str = "L", vectors: bool = True) -> tuple[Any, Any]:
    values, found = jnp.linalg.eigh(a, UPLO=side, symmetrize_input=False)
    return values, found if vectors else None


def _svd(a: Any, full: bool = False, vectors: bool = True, **_: Any) -> tuple[Any, Any, Any]:
    if not vectors:
        return None, jnp.linalg.svd(a, compute_uv=False), None
    return tuple(jnp.linalg.svd(a, full_matrices=full))  # type: ignore[return-value]


def _inverse(a: Any, **_: Any) -> tuple[Any, Any]:
    return jnp.linalg.inv(a), jnp.zeros(a.shape[:-2], jnp.int32)


OPERATIONS: dict[str, Operation] = {
    "_linalg_det": plain(lambda a: (jnp.linalg.det(a), None, None)),
    "_linalg_eigh": plain(_eigh),
    "_linalg_slogdet": plain(lambda a: (*jnp.linalg.slogdet(a), None, None)),
    "_linalg_solve_ex": plain(_solve),
    "_linalg_svd": plain(_svd),
    "linalg_cholesky_ex": plain(_cholesky),
    "linalg_householder_product": plain(lax.linalg.householder_product),
    "linalg_inv_ex": plain(_inverse),
    "linalg_matrix_exp": plain(jax.scipy.linalg.expm),
    "linalg_qr": plain(lambda a, mode="reduced": tuple(jnp.linalg.qr(a, mode))),
    "linalg_solve_triangular": plain(_triangular),
}
