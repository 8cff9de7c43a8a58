"""The table of torch's operations: each by itself against torch, however its arrays lie."""

import itertools

import jax.numpy as jnp
import numpy as np
import pytest
from aten_cases import CASES, NOT_OF_TORCH

from cem_jax.network.aten import TABLE
from cem_jax.network.aten.layout import Laid
from cem_jax.network.aten.operation import promoted

torch = pytest.importorskip("torch")


def lie(value, rng):
    """An array whose axes lie in a random order."""
    if isinstance(value, np.ndarray):
        if value.dtype.kind == "i" or value.ndim == 0:
            return Laid.of(value)  # indices are known
        order = rng.permutation(value.ndim).tolist()
        return Laid.of(jnp.asarray(value.transpose(order)), order)
    if isinstance(value, list):
        return [lie(own, rng) for own in value]
    return value


def tensors(value):
    if isinstance(value, np.ndarray):
        value = torch.from_numpy(np.ascontiguousarray(value))
        return value.long() if value.dtype == torch.int32 else value
    return [tensors(own) for own in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("name", "args", "options"), CASES, ids=[f"{k}-{case[0]}" for k, case in enumerate(CASES)]
)
def test_every_operation_is_torchs(name, args, options):
    torch_name = {"t": "t", "as_strided_copy": "as_strided"}.get(name, name)
    wanted = getattr(torch.ops.aten, torch_name)(*map(tensors, args), **options)
    rng = np.random.default_rng(0)
    found = TABLE[name](*(lie(value, rng) for value in args), **options)
    several = isinstance(wanted, tuple | list)
    wanted = wanted if several else (wanted,)
    found = found if several else (found,)
    found = [one() if callable(one) else one for one in found]
    compared = 0
    for ours, torchs in zip(found, wanted, strict=False):
        if ours is None:
            continue
        torchs = torchs.resolve_conj()
        assert ours.shape == tuple(torchs.shape)
        np.testing.assert_allclose(
            np.asarray(ours.plain(), torchs.numpy().dtype), torchs.numpy(), rtol=2e-5, atol=2e-5
        )
        compared += 1
    assert compared


def test_types_mix_as_torchs_do():
    names = ("bool", "int8", "uint8", "int32", "float16", "bfloat16", "float32", "complex64")
    for first, second in itertools.product(names, names):
        for shapes in itertools.product(((3,), ()), repeat=2):
            own = [Laid.of(jnp.ones(s, n)) for s, n in zip(shapes, (first, second), strict=True)]
            pair = [
                torch.ones(s, dtype=getattr(torch, n))
                for s, n in zip(shapes, (first, second), strict=True)
            ]
            wanted = str(torch.result_type(*pair)).removeprefix("torch.")
            if "complex64" in (first, second) and wanted != "complex64":
                continue  # complex numbers of half precision, which JAX does not have
            assert {str(value.dtype) for value in promoted(own)} == {wanted}, (first, second)
        for number in (2, 0.5):
            own = Laid.of(jnp.ones(3, first))
            wanted = torch.result_type(torch.ones(3, dtype=getattr(torch, first)), number)
            wanted = str(wanted).removeprefix("torch.").replace("int64", "int32")
            assert str(promoted([own], [number])[0].dtype) == wanted


def test_no_operation_is_left_out():
    assert {name for name, _, _ in CASES} | NOT_OF_TORCH == set(TABLE)
