"""Records of arrays: equal to themselves, hashable, and nobody writes into them."""

import ast
import dataclasses
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import unchanged

import cem_jax as cem

ROI = cem.ROI(24, 32, 16, 16)


@pytest.fixture
def records(clean, pool, local):
    scene = cem.Scene.custom(clean, clean, unchanged)
    found = cem.causal_effect_map(local, scene, ROI, pool=pool, plan=cem.Fixed(3), progress=False)
    return {
        "map": found, "extremes": found.extremes, "difference": cem.difference(found, found),
        "pool": pool, "scene": scene, "network": local,
        "attribution": cem.gradient_map(local, scene, ROI),
    }  # fmt: skip


def test_records_are_equal_to_themselves_and_hashable(records):
    for name, one in records.items():
        assert one == one and hash(one) == hash(one), name
        assert not one == dataclasses.replace(one), name  # noqa: SIM201
    assert len(set(records.values())) == len(records)


def test_intervals_compare_and_unpack(records):
    one, other = records["map"].interval(), records["map"].interval()
    assert one == one and one != other and len({one, other}) == 2
    low, high = one
    outside = ~records["map"].inside_roi
    assert (low[outside] <= high[outside]).all() and isinstance(one, tuple)


def test_every_record_of_arrays_leaves_comparing_to_identity():
    found = []
    for path in sorted((Path(cem.__file__).parent).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            decorators = [ast.unparse(one) for one in getattr(node, "decorator_list", [])]
            made = [one for one in decorators if one.startswith("dataclasses.dataclass")]
            if isinstance(node, ast.ClassDef) and made:
                fields = [ast.unparse(one.annotation) for one in node.body
                          if isinstance(one, ast.AnnAssign)]  # fmt: skip
                held = [one for one in fields if "Callable" not in one]
                if any("ndarray" in one or "jax.Array" in one for one in held):
                    found.append(node.name)
                    assert "eq=False" in made[0], (path, node.name)
    assert {"EffectMap", "Scene", "Interventions", "Boxes"} <= set(found)


def test_nobody_writes_into_a_record(records):
    count = 0
    for name, one in records.items():
        for field in dataclasses.fields(one):
            value = getattr(one, field.name)
            if isinstance(value, np.ndarray):
                count += 1
                with pytest.raises(ValueError, match="read-only"):
                    value[...] = 0
                assert not value.flags.writeable, (name, field.name)
    assert count > 20


def test_what_a_user_gives_is_copied_not_taken_over(clean):
    patches = cem.PatchPool.default().patches[:10].copy()
    pool = cem.PatchPool(patches)
    before = pool.digest
    patches[:] = 0
    assert pool.digest == before
    image = clean.astype(np.float32) / 255
    scene = cem.Scene.custom(image, image)
    image[:] = 0
    assert scene.clean.max() > 0 and scene.degraded.max() > 0


def test_a_loaded_map_is_read_only_too(tmp_path, records):
    records["map"].save(tmp_path / "map.npz")
    loaded = cem.EffectMap.load(tmp_path / "map.npz")
    with pytest.raises(ValueError, match="read-only"):
        loaded.effect[0, 0] = 9


def test_a_network_goes_through_jit_grad_and_tree_maps(clean):
    def affine(params, x):
        return params["a"] * x + params["b"]

    network = cem.wrap(affine, params={"a": jnp.float32(0.5), "b": jnp.float32(0.1)})
    x = jnp.full((1, 8, 8, 3), 0.5)
    np.testing.assert_allclose(jax.jit(lambda n, x: n(x))(network, x), 0.35, rtol=1e-6)
    doubled = jax.tree.map(lambda leaf: 2 * leaf, network)
    assert isinstance(doubled, cem.Network) and doubled.name == network.name
    np.testing.assert_allclose(doubled(x), 0.7, rtol=1e-6)
    slope = jax.grad(lambda n: n(x).mean())(network)
    assert float(slope.params["a"]) == pytest.approx(0.5)
    zoo = cem.load("DnCNN-compact")
    image = jnp.asarray(clean[None, :16, :16] / np.float32(255))
    np.testing.assert_allclose(
        jax.jit(lambda n, x: n(x))(zoo, image), zoo(image), rtol=0, atol=1e-5
    )


def test_maps_of_another_do_do_not_compare(clean, pool, local):
    first, second = (
        cem.causal_effect_map(
            local, cem.Scene.custom(clean, clean, do), ROI, pool=pool, plan=cem.Fixed(2),
            progress=False,
        )
        for do in (unchanged, lambda patch, y, x, key: 1 - patch)
    )  # fmt: skip
    with pytest.raises(ValueError, match="do not compare: do "):
        cem.difference(first, second)
