"""Numbers of numpy and names as paths: Python's own from the first moment, or refused then."""

import json
from pathlib import Path

import numpy as np
import pytest

import cem_jax as cem


def test_everything_a_user_may_compute_is_accepted(tmp_path, clean, pool):
    network = cem.wrap(
        lambda x: x * 0.5, scale=np.int64(1), receptive_radius=np.int32(0), name=Path("a") / "net",
        size_multiple=np.uint8(1),
    )  # fmt: skip
    sigma, seed = np.float32(0.25), np.int64(3)
    scene = cem.Scene.denoising(clean, sigma, seed, name=np.str_("scene"))
    roi = cem.ROI(*np.array([24, 32, 16, 16]))
    plan = cem.Fixed(n=np.int64(2), tolerance=np.float32(0.5))
    asked = {"pool": pool, "plan": plan, "block": np.int64(8), "seed": np.uint16(7)}
    found = cem.causal_effect_map(
        network, scene, roi, directory=tmp_path / "numpy", chunk=np.int64(4),
        rounded=np.bool_(False), progress=False, **asked,
    )  # fmt: skip
    kept = cem.EffectMap.load(tmp_path / "numpy" / "map.npz")
    assert kept.provenance == json.loads(json.dumps(found.provenance))
    assert type(kept.block) is int and type(kept.tolerance) is float
    network = cem.wrap(lambda x: x * 0.5, receptive_radius=0, name="a/net")
    scene = cem.Scene.denoising(clean, 0.25, 3, name="scene")
    again = cem.causal_effect_map(
        network, scene, cem.ROI(24, 32, 16, 16), pool=pool, plan=cem.Fixed(2, 0.5), block=8,
        seed=7, directory=tmp_path / "numpy", progress=False,
    )  # fmt: skip
    assert again.provenance == found.provenance  # the same sweep: nothing was computed again


@pytest.mark.parametrize("name", [b"net", 3, ("net",), object()])
def test_a_name_that_is_no_text_is_refused_at_once(name, clean):
    with pytest.raises(ValueError, match="name="):
        cem.wrap(lambda x: x, name=name)
    with pytest.raises(ValueError, match="name="):
        cem.Network(name, lambda params, x: x, None)
    with pytest.raises(ValueError, match="name="):
        cem.Scene.denoising(clean, name=name)


@pytest.mark.parametrize(
    "change", [{"scale": 1.0}, {"scale": 0}, {"scale": "2"}, {"receptive_radius": -1},
               {"receptive_radius": 2.5}, {"size_multiple": 0}],
)  # fmt: skip
def test_a_fact_that_is_no_whole_number_is_refused_at_once(change):
    with pytest.raises(ValueError, match=f"{next(iter(change))}="):
        cem.wrap(lambda x: x, **change)
