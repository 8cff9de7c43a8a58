"""A pool's file: ours come back, what is none is one line that names the file."""

import numpy as np
import pytest

import cem_jax as cem

PATCHES = cem.PatchPool.default().patches[:6]


@pytest.mark.parametrize("name", ["pool.npz", "pool"])
def test_a_pool_comes_back(name, tmp_path):
    cem.PatchPool(PATCHES, "six").save(tmp_path / name)
    found = cem.PatchPool.load(tmp_path / "pool.npz")
    np.testing.assert_array_equal(found.patches, PATCHES)
    assert found.name == "six" and len(list(tmp_path.iterdir())) == 1


def test_a_pool_without_a_name_has_the_files(tmp_path):
    np.savez(tmp_path / "mine.npz", patches=PATCHES)
    assert cem.PatchPool.load(tmp_path / "mine.npz").name == "mine"


ARRAYS = {
    "another": {"values": PATCHES}, "kind": {"patches": PATCHES / 255},
    "shape": {"patches": PATCHES[0]},
    "empty": {"patches": PATCHES[:0]}, "name": {"patches": PATCHES, "name": [1, 2]},
    "number": {"patches": PATCHES, "name": 3},
}  # fmt: skip


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("case", ARRAYS)
def test_what_is_no_pool_is_refused(case, tmp_path):
    path = tmp_path / "pool.npz"
    np.savez(path, **ARRAYS[case])
    with pytest.raises(ValueError) as error:
        cem.PatchPool.load(path)
    assert str(error.value).startswith(f"path={str(path)!r} holds no pool: ")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", [b"pool", 3, None])
def test_a_name_that_is_no_text_is_refused(name):
    with pytest.raises(ValueError, match="name="):
        cem.PatchPool(PATCHES, name)
