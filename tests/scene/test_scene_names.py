"""A scene's name is in the record of its maps, and nothing else depends on it."""

import numpy as np
import pytest

import cem_jax as cem
from cem_jax.view.scenes import scene_name

ROI = cem.ROI(24, 32, 16, 16)


@pytest.fixture
def run(clean, pool, local):
    def make(name: str, directory=None) -> cem.EffectMap:
        scene = cem.Scene.denoising(clean, name=name)
        return cem.causal_effect_map(
            local, scene, ROI, pool=pool, plan=cem.Fixed(2), directory=directory, progress=False
        )

    return make


def test_every_constructor_takes_a_name(clean):
    scenes = [
        cem.Scene.super_resolution(clean, name="facade"),
        cem.Scene.denoising(clean, name="facade"),
        cem.Scene.deraining(clean, name="facade"),
        cem.Scene.custom(clean, clean, name="facade"),
    ]
    assert [scene.name for scene in scenes] == 4 * ["facade"]
    assert cem.Scene.denoising(clean).name == ""


def test_a_name_changes_no_outcome_and_no_identity(run, tmp_path):
    named, other, nameless = run("facade", tmp_path), run("wall", tmp_path), run("")
    np.testing.assert_array_equal(named.values, nameless.values)
    assert other.provenance == named.provenance  # the finished map, as it was saved
    assert named.provenance["scene"] == nameless.provenance["scene"]
    assert (cem.difference(named, nameless).effect[~named.inside_roi] == 0).all()


def test_a_saved_map_knows_its_scene(run, tmp_path):
    run("facade").save(tmp_path / "map.npz")
    found = cem.EffectMap.load(tmp_path / "map.npz")
    assert found.provenance["scene_name"] == "facade"
    assert scene_name(found).startswith("facade, DN, region 16\u00a0\u00d7\u00a016")
    del found.provenance["scene_name"]  # as in maps of before
    found.save(tmp_path / "old.npz")
    assert scene_name(cem.EffectMap.load(tmp_path / "old.npz")).startswith("DN, region")


def test_a_job_names_its_scenes_by_their_labels(clean, pool, local, tmp_path):
    job = cem.Job(
        {"local": lambda: local}, {"wall": lambda: cem.Scene.denoising(clean, name="facade")},
        [cem.MapOf("local", "wall", ROI)], pool=pool, plan=cem.Fixed(2),
    )  # fmt: skip
    cem.run_job(job, tmp_path, progress=False)
    found = cem.EffectMap.load(tmp_path / str(job.maps[0]) / "map.npz")
    assert found.provenance["scene_name"] == "wall"


def test_the_report_chooses_scenes_by_name(run, tmp_path):
    maps = [run("facade"), run("facade")]
    cem.report(maps, tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text("utf-8")
    assert 'data-name="facade, DN, region 16\u00a0\u00d7\u00a016 at y 24, x 32"' in text
