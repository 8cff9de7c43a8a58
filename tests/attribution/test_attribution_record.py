"""What is kept of an attribution map: its index, sums, area, file and pictures."""

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pytest
import scipy.stats

import cem_jax as cem


def attributed(values) -> cem.Attribution:
    values = np.asarray(values, np.float64)
    degraded = np.zeros((*values.shape, 3), np.uint8)
    nan = float("nan")
    return cem.Attribution(
        "gradient", values, 0.0, nan, "", cem.ROI(0, 0, 2, 2), 1, 1, degraded, {}
    )


def test_the_diffusion_index_is_that_of_the_gini_coefficient():
    values = np.random.default_rng(0).standard_normal((7, 9)) ** 3
    size = np.abs(values).ravel()
    gini = np.abs(size[:, None] - size[None, :]).mean() / (2 * size.mean())
    assert attributed(values).gini == pytest.approx(gini, abs=1e-12)
    assert attributed(-5 * values).diffusion_index == pytest.approx((1 - gini) * 100, abs=1e-9)
    assert attributed(np.full((4, 5), 3.0)).gini == pytest.approx(0, abs=1e-12)
    alone = np.zeros((4, 5))
    alone[1, 2] = -2
    assert attributed(alone).gini == pytest.approx(19 / 20)
    assert np.isnan(attributed(np.zeros((4, 5))).diffusion_index)


def test_the_area_of_contribution_is_a_kernel_density():
    rng = np.random.default_rng(0)
    values = rng.random((13, 17)) ** 8 * (rng.random((13, 17)) - 0.3)
    values[:, 12:] = 0
    places = np.argwhere(np.ones_like(values)).T
    weights = np.abs(values).ravel()
    narrow = scipy.stats.gaussian_kde(places, weights=weights).covariance
    normal = scipy.stats.multivariate_normal(cov=narrow + np.eye(2) / 12)
    expected = sum(
        weight * normal.pdf(places.T - place)
        for weight, place in zip(weights, places.T, strict=True)
    ).reshape(values.shape)
    found = cem.attribution.area_of_contribution(attributed(values))
    np.testing.assert_allclose(found, expected / expected.max(), atol=1e-9)
    alone = np.zeros((5, 6))
    alone[1, 2] = 1
    density = cem.attribution.area_of_contribution(attributed(alone))
    assert np.unravel_index(density.argmax(), density.shape) == (1, 2)
    assert not cem.attribution.area_of_contribution(attributed(np.zeros((5, 6)))).any()


def test_blocks_hold_the_sums_of_their_cells():
    values = np.arange(35.0).reshape(5, 7)
    sums = attributed(values).in_blocks(3)
    assert sums.shape == (2, 3)
    assert sums[0, 1] == values[:3, 3:6].sum() and sums[1, 2] == values[3:, 6:].sum()
    with pytest.raises(ValueError, match="block=0"):
        attributed(values).in_blocks(0)


def test_attributions_round_trip(tmp_path, clean, local):
    scene, roi = cem.Scene.custom(clean, clean), cem.ROI(24, 32, 16, 16)
    found = (
        cem.local_attribution_map(local, scene, roi, steps=2),
        cem.gradient_map(local, scene, roi),
        cem.occlusion_map(local, scene, roi, block=24, fill="blur"),
    )
    for one in found:
        one.save(tmp_path / "one.npz")
        again = cem.Attribution.load(tmp_path / "one.npz")
        for field in dataclasses.fields(one):
            kept, given = getattr(again, field.name), getattr(one, field.name)
            np.testing.assert_array_equal(kept, given)  # NaN equals NaN here
            assert type(kept) is type(given)
        assert again.attribution.dtype == np.float64 and again.degraded.dtype == np.uint8
    assert [path.name for path in tmp_path.iterdir()] == ["one.npz"]


def test_damaged_files_are_refused_or_read_as_they_were(tmp_path):
    path, found = tmp_path / "one.npz", attributed(np.random.default_rng(0).random((7, 9)))
    found.save(path)
    whole = path.read_bytes()
    for end in range(0, len(whole), 97):
        path.write_bytes(whole[:end])
        with pytest.raises(ValueError, match=r"one.npz.*no attribution"):
            cem.Attribution.load(path)
    refused, places = 0, range(0, len(whole), 5)
    for middle in places:
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 0xFF]) + whole[middle + 1 :])
        try:
            again = cem.Attribution.load(path)
        except ValueError as error:
            assert "one.npz" in str(error)
            refused += 1
        else:  # what was hit is not read, such as the time of the archive's entries
            np.testing.assert_array_equal(again.attribution, found.attribution)
            assert again.parameters == found.parameters and again.roi == found.roi
    assert refused > 0.7 * len(places)
    np.savez(path, other=np.zeros(3))
    with pytest.raises(ValueError, match=r"one.npz.*no attribution: it has no 'attribution'"):
        cem.Attribution.load(path)
    with pytest.raises(ValueError, match=r"missing.npz.*no attribution"):
        cem.Attribution.load(tmp_path / "missing.npz")
    with pytest.raises(ValueError, match="cannot be written"):
        found.save(tmp_path / "no folder" / "one.npz")


def test_a_newer_file_and_a_map_are_not_taken_for_an_attribution(tmp_path):
    path, values = tmp_path / "one.npz", np.zeros((2, 2))
    np.savez(path, record='{"format_version": 2}', attribution=values, degraded=values)
    with pytest.raises(ValueError, match=r"format 2; .* up to 1"):
        cem.Attribution.load(path)
    np.savez(path, record='{"format_version": 2, "task": "DN"}', effect=values)
    with pytest.raises(ValueError, match="no attribution"):
        cem.Attribution.load(path)


def test_figures_show_sign_and_place():
    clean = cem.example_image("facade")[:64, :96]
    scene = cem.Scene.super_resolution(clean)
    network = cem.wrap(lambda x: x.repeat(4, 1).repeat(4, 2), scale=4, receptive_radius=0)
    roi = cem.ROI(16, 32, 16, 24)
    for found in (
        cem.gradient_map(network, scene, roi),
        cem.occlusion_map(network, scene, roi, block=16),
    ):
        for draw in (cem.plot_attribution, cem.plot_contribution):
            picture = draw(found)
            shown = np.asarray(picture.images[0].get_array())
            assert shown.shape == (64, 96, 3)
            (box,) = picture.patches
            assert box.get_bbox().bounds == (31.5, 15.5, 24, 16)  # type: ignore[attr-defined]
    light = np.repeat(np.repeat(scene.degraded, 4, 0), 4, 1)
    shown = np.asarray(
        cem.plot_attribution(cem.gradient_map(network, scene, roi)).images[0].get_array()
    )
    positive = cem.gradient_map(network, scene, roi).attribution.repeat(4, 0).repeat(4, 1) > 0
    redder = (shown - 0.5 * light)[..., 0] > (shown - 0.5 * light)[..., 2]
    inside = np.zeros((64, 96), bool)
    inside[16:32, 32:56] = True
    strong = np.abs(shown - 0.5 * light - 0.5).max(-1) > 0.05
    np.testing.assert_array_equal(redder[inside & strong], positive[inside & strong])
    assert not strong[~inside].any()
    gradient = cem.gradient_map(network, scene, roi)
    ends = plt.colormaps["PuOr_r"](np.array([0.0, 1.0]))[:, :3]
    shown = np.asarray(cem.plot_attribution(gradient, colour_map="PuOr_r").images[0].get_array())
    largest = np.unravel_index(np.abs(gradient.attribution).argmax(), (16, 24))
    helps = int(gradient.attribution[largest] > 0)
    place = (4 * largest[0], 4 * largest[1])
    np.testing.assert_allclose((shown - 0.5 * light)[place], 0.5 * ends[helps], atol=0.01)
    area = np.asarray(cem.plot_contribution(gradient, colour_map="PuOr_r").images[0].get_array())
    np.testing.assert_allclose((area - 0.5 * light).reshape(-1, 3).min(0), 0.5 * ends[1], atol=0.05)
    with pytest.raises(ValueError, match="colour_map='blue'"):
        cem.plot_attribution(gradient, colour_map="blue")
    plt.close("all")
