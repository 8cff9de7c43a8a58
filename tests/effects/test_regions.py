"""Maps of several regions: one sweep serves those of a network that sees the whole image."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import cem_jax as cem
from cem_jax.sweep import chunks

ROIS = (cem.ROI(8, 8, 16, 16), cem.ROI(32, 40, 16, 8), cem.ROI(40, 0, 8, 8))


def dimmed(x):
    """Every pixel depends on all others from the beginning."""
    x = x * (1.2 - 0.4 * jnp.mean(x, (1, 2), keepdims=True))
    kernel = jnp.broadcast_to(jnp.eye(3) / 9, (3, 3, 3, 3))
    for _ in range(40):
        near = jax.lax.conv_general_dilated(
            x, kernel, (1, 1), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        x = 0.7 * x + 0.3 * near
    return x


@pytest.fixture
def scene(clean) -> cem.Scene:
    return cem.Scene.denoising(clean[:48, :48])


def each(network, scene, rois=ROIS, **more):
    return [cem.causal_effect_map(network, scene, roi, progress=False, **more) for roi in rois]


@pytest.mark.parametrize(
    "plan", [cem.Fixed(2), cem.CoarseToFine(2, 4, 0.05), cem.Adaptive(tolerance=0.05)]
)
def test_regions_share_a_sweep_where_all_pixels_depend_on_all(scene, plan):
    network = cem.wrap(dimmed, name="dimmed")
    found = cem.region_maps(network, scene, ROIS, plan=plan, progress=False)
    for one, alone in zip(found, each(network, scene, plan=plan), strict=True):
        assert one.roi == alone.roi and one.provenance["roi"] == alone.provenance["roi"]
        assert one.provenance["computed"].endswith(" 3 regions share this sweep.")
        assert one.provenance["evaluations"] == alone.provenance["evaluations"]
        np.testing.assert_array_equal(one.samples, alone.samples)
        np.testing.assert_array_equal(one.inside_roi, alone.inside_roi)
        np.testing.assert_allclose(one.values, alone.values, atol=1e-4)
        np.testing.assert_allclose(one.effect, alone.effect, atol=1e-4)
        np.testing.assert_allclose(one.standard_error, alone.standard_error, atol=1e-4)
        assert one.extremes is None and alone.extremes is not None


def test_a_shared_sweep_evaluates_an_intervention_once(scene, monkeypatch):
    done = []

    def counted(method, asked, chunk):
        done.append(len(asked.cells))
        return chunks.evaluate(method, asked, chunk)

    monkeypatch.setattr("cem_jax.sweep.sweep.evaluate", counted)
    network = cem.wrap(dimmed, name="dimmed")
    cem.region_maps(network, scene, ROIS, plan=cem.Fixed(3), progress=False)
    assert done == [3 * 36]


def test_regions_of_a_local_network_have_sweeps_of_their_own(tmp_path, scene, local):
    found = cem.region_maps(local, scene, ROIS, plan=cem.Fixed(2), progress=False)
    for one, alone in zip(found, each(local, scene, plan=cem.Fixed(2)), strict=True):
        assert one.provenance["computed"] == alone.provenance["computed"]
        np.testing.assert_array_equal(one.values, alone.values)


def test_a_declared_radius_keeps_regions_apart(clean):
    scene = cem.Scene.denoising(np.tile(clean, (2, 2, 1)))
    hidden = cem.wrap(
        lambda x: x * (1.0 + 0.0 * jnp.mean(x, (1, 2), keepdims=True)),
        name="hidden", receptive_radius=4,
    )  # fmt: skip
    rois = (cem.ROI(0, 0, 16, 16), cem.ROI(96, 96, 16, 16))
    for one in cem.region_maps(hidden, scene, rois, plan=cem.Fixed(2), progress=False):
        assert "regions share this sweep" not in one.provenance["computed"]


def test_super_resolution_computes_the_part_that_holds_all_regions(clean):
    network = cem.load("RCAN-compact")
    scene = cem.Scene.super_resolution(clean[:64, :64], 4)
    rois = (cem.ROI(8, 8, 8, 8), cem.ROI(12, 28, 16, 8))
    found = cem.region_maps(network, scene, rois, plan=cem.Fixed(1), progress=False)
    for one, alone in zip(found, each(network, scene, rois, plan=cem.Fixed(1)), strict=True):
        assert one.provenance["computed"].endswith(" 2 regions share this sweep.")
        np.testing.assert_allclose(one.values, alone.values, atol=1e-4)


def test_finished_regions_are_returned_and_further_ones_made(tmp_path, scene, monkeypatch):
    network = cem.wrap(dimmed, name="dimmed")
    options = {"plan": cem.Fixed(2), "progress": False, "directory": tmp_path}
    first = cem.region_maps(network, scene, ROIS[:2], **options)
    all_three = cem.region_maps(network, scene, ROIS, **options)
    for one, again in zip(first, all_three[:2], strict=True):
        np.testing.assert_array_equal(one.values, again.values)
    assert all_three[2].roi == ROIS[2]
    kept = cem.causal_effect_map(
        network, scene, ROIS[1], plan=cem.Fixed(2), progress=False,
        directory=tmp_path / ROIS[1].label,
    )  # fmt: skip
    np.testing.assert_array_equal(kept.values, first[1].values)
    monkeypatch.setattr("cem_jax.sweep.layout.Layout.make", None)
    for one, again in zip(all_three, cem.region_maps(network, scene, ROIS, **options), strict=True):
        np.testing.assert_array_equal(one.values, again.values)


def test_an_interrupted_shared_sweep_goes_on(tmp_path, scene, monkeypatch):
    network = cem.wrap(dimmed, name="dimmed")
    options = {"plan": cem.CoarseToFine(2, 3), "progress": False, "directory": tmp_path}
    straight = cem.region_maps(network, scene, ROIS, **options | {"directory": None})

    def cut_off(method, asked, chunk):
        for number, found in enumerate(chunks.evaluate(method, asked, chunk)):
            if number == 5:
                raise KeyboardInterrupt
            yield found

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        patch.setattr("cem_jax.sweep.sweep.evaluate", cut_off)
        cem.region_maps(network, scene, ROIS, **options)
    found = cem.region_maps(network, scene, ROIS, **options)
    assert found[0].provenance["evaluations_resumed"] > 0
    for one, same in zip(found, straight, strict=True):
        np.testing.assert_array_equal(one.values, same.values)


@pytest.mark.parametrize("rois", [(), (ROIS[0], ROIS[0])])
def test_regions_are_different_and_at_least_one(scene, local, rois):
    with pytest.raises(ValueError, match="rois="):
        cem.region_maps(local, scene, rois, progress=False)


def test_every_region_lies_in_the_image(scene, local):
    with pytest.raises(ValueError, match="leaves the image"):
        cem.region_maps(local, scene, (ROIS[0], cem.ROI(40, 40, 16, 16)), progress=False)
