"""What would give a wrong number without a word is refused, and named."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from conftest import blur, curved, unchanged, unseen

import cem_jax as cem
from cem_jax.store.store import read_outcomes

pytestmark = pytest.mark.usefixtures("unchecked")

ROI = cem.ROI(24, 32, 16, 16)


def sweep(network, clean, **more):
    scene = more.pop("scene", None) or cem.Scene.custom(clean, clean, unchanged)
    options = {"plan": cem.Fixed(2), "progress": False} | more
    return cem.causal_effect_map(network, scene, options.pop("roi", ROI), **options)


@pytest.mark.parametrize("roi", [cem.ROI(0, 0, 72, 88), cem.ROI(7, 7, 58, 74)])
def test_a_region_that_leaves_no_block_is_refused(clean, local, roi):
    with pytest.raises(ValueError, match=r"roi=ROI.*leaves no block of 8 pixels outside"):
        sweep(local, clean, roi=roi)
    with pytest.raises(ValueError, match=r"roi=ROI.*leaves no block"):
        scene = cem.Scene.custom(clean, clean, unchanged)
        cem.region_maps(local, scene, (ROI, roi), progress=False)
    left = sweep(local, clean, roi=cem.ROI(8, 0, 64, 88))
    assert np.isfinite(left.effect[0]).all() and left.samples[0].all()


@pytest.mark.parametrize(
    "rois", [None, [], 3, "auto", cem.ROI(0, 0, 8, 8), [None], ["auto"], [(0, 0, 8, 8)],
             [cem.ROI(0, 0, 8, 8)] * 2],
    ids=repr,
)  # fmt: skip
def test_what_are_no_regions_is_told_by_name(rois, clean, local):
    with pytest.raises(ValueError, match=r"^rois\b"):
        cem.region_maps(local, cem.Scene.custom(clean, clean, unchanged), rois, progress=False)


@pytest.mark.parametrize("seed", [2**32, 2**63, 2**80, -1, 0.5, "0"])
def test_seeds_that_are_not_told_apart_are_refused(clean, local, seed):
    with pytest.raises(ValueError, match="seed="):
        sweep(local, clean, seed=seed)


def test_seeds_of_32_bits_are_told_apart(clean, local):
    scene = cem.Scene.denoising(clean)
    every = (0, 1, 2**31 - 1, 2**31, 2**32 - 1)
    maps = [sweep(local, clean, scene=scene, seed=seed) for seed in every]
    for number, one in enumerate(maps):
        assert one.provenance["seed"] == every[number]
        for other in maps[:number]:
            drawn = np.isfinite(one.values)
            assert (one.values != other.values)[drawn].all()


def fails_at(row, column):
    """NaN as soon as the block's first pixel, black in the scene, is another; what is far is 0."""

    def call(x):
        x = unseen(x)
        bad = x[:, 8 * row, 8 * column, 0] > 0
        return jnp.where(bad[:, None, None, None], jnp.nan, curved(x))

    return cem.wrap(call, name="fragile")


@pytest.mark.parametrize("chunk", [1, 7, None])
def test_the_block_whose_outcome_is_not_finite_is_named_and_the_others_kept(
    tmp_path, clean, chunk, monkeypatch
):
    image = clean.copy()
    image[24, 32] = 0
    scene = cem.Scene.custom(image, image, lambda patch, y, x, key: jnp.maximum(patch, 0.1))
    with pytest.raises(ValueError, match=r"not finite after an intervention at block \(3, 4\)"):
        sweep(
            fails_at(3, 4), clean, scene=scene, roi=cem.ROI(48, 48, 8, 8), chunk=chunk,
            plan=cem.Fixed(1), directory=tmp_path,
        )  # fmt: skip
    values = np.full((99, 1, 1), np.nan, np.float32)
    read_outcomes(tmp_path, values)
    assert np.isfinite(values).any() and np.isnan(values[3 * 11 + 4]).all()


def test_finite_outcomes_of_the_same_chunk_are_kept(tmp_path, clean):
    image = clean.copy()
    image[24, 32] = 0
    scene = cem.Scene.custom(image, image, lambda patch, y, x, key: jnp.maximum(patch, 0.1))
    with pytest.raises(ValueError, match="not finite"):
        sweep(
            fails_at(3, 4), clean, scene=scene, roi=cem.ROI(48, 48, 8, 8), chunk=10**6,
            plan=cem.Fixed(1), directory=tmp_path,
        )  # fmt: skip
    values = np.full((99, 1, 1), np.nan, np.float32)
    read_outcomes(tmp_path, values)
    inside = 6 * 11 + 6
    expected = np.ones(99, bool)
    expected[[3 * 11 + 4, inside]] = False
    np.testing.assert_array_equal(np.isfinite(values[:, 0, 0]), expected)


def test_given_outcomes_that_are_not_finite_are_named(clean):
    image = clean.copy()
    image[24, 32] = 0
    scene = cem.Scene.custom(image, image)
    patches = np.full((3, 8, 8, 3), 0.5)
    with pytest.raises(ValueError, match=r"blocks\[1\] = \(3, 4\) is not finite"):
        cem.outcomes(fails_at(3, 4), scene, ROI, [[2, 3], [3, 4], [5, 5]], patches)


@pytest.mark.parametrize(
    "attribute",
    [cem.local_attribution_map, cem.integrated_gradients, cem.gradient_map, cem.occlusion_map],
)
@pytest.mark.parametrize("value", [jnp.nan, jnp.inf])
def test_attributions_of_a_network_that_is_not_finite_are_refused(clean, attribute, value):
    network = cem.wrap(lambda x: blur(x) + value, name="broken")
    with pytest.raises(ValueError, match=r"network=broken: .* not finite"):
        attribute(network, cem.Scene.custom(clean, clean), ROI)


def test_a_gradient_that_is_not_finite_is_refused(clean):
    """The root has no slope at 0, which the outcome does not show."""
    network = cem.wrap(lambda x: 0.1 * jnp.sqrt(x) + 0.9 * blur(x), name="rooted")
    image = clean.copy()
    image[30, 40] = 0
    scene = cem.Scene.custom(image, image)
    message = r"network=rooted: its gradient is not finite, first at the input's pixel \(30, 40\)"
    with pytest.raises(ValueError, match=message):
        cem.gradient_map(network, scene, ROI)


@pytest.mark.parametrize("dense", [False, True])
def test_a_chunk_is_bounded_by_the_work(clean, dense):
    f = (lambda x: curved(unseen(x))) if dense else curved
    found = sweep(cem.wrap(f), clean, chunk=10**6, plan=cem.Fixed(3))
    blocks = int((found.samples > 0).sum())
    assert found.provenance["computed"].startswith("dense" if dense else "cone")
    devices = len(jax.local_devices())
    most = devices * -(-3 * blocks // devices) if dense else devices * 3 * blocks
    assert 3 * blocks <= found.provenance["evaluated"] <= most


def test_numpys_numbers_become_pythons(tmp_path, clean, local):
    found = sweep(
        local, clean, block=np.int64(8), seed=np.uint32(3), rounded=np.bool_(False),
        chunk=np.int32(4), directory=tmp_path,
    )  # fmt: skip
    plain = sweep(local, clean, block=8, seed=3, chunk=4, directory=tmp_path)
    np.testing.assert_array_equal(found.values, plain.values)
    assert type(found.tolerance) is float and type(found.block) is int


def test_names_are_taken_where_the_command_line_takes_them(clean, local):
    by_name = sweep(local, clean, plan="fixed:2", outcome="ssim")
    by_object = sweep(local, clean, plan=cem.Fixed(2), outcome=cem.ssim)
    np.testing.assert_array_equal(by_name.values, by_object.values)
    assert by_name.outcome == "ssim" and by_name.provenance["plan"] == by_object.provenance["plan"]
    maps = cem.causal_effect_maps(
        local, cem.Scene.custom(clean, clean, unchanged), ROI, ("psnr", cem.negative_l1),
        plan="fixed:1", progress=False,
    )  # fmt: skip
    assert list(maps) == ["psnr", "negative_l1"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("pool", 3), ("pool", "default"), ("plan", "fixed"), ("plan", 3),
        ("plan", cem.Fixed), ("outcome", "psnrr"), ("outcome", 3), ("outcome", cem.Fixed),
        ("devices", ["cpu"]), ("devices", []), ("devices", "cpu"), ("devices", 3),
        ("rounded", "yes"), ("rounded", 2), ("progress", "yes"), ("progress", 1),
        ("progress", cem.TextProgress), ("directory", 3), ("directory", b"out"),
        ("compute", {"chunk": 3}), ("chunk", "3"), ("chunk", 0), ("block", None), ("seed", None),
        ("outcome", lambda a: a), ("outcome", lambda a, b: (a.sum(), b)), ("outcome", len),
        ("outcome", lambda a, b: jnp.sum(a > b)),
    ],
)  # fmt: skip
def test_other_types_are_refused_by_the_arguments_name(clean, local, name, value):
    with pytest.raises(ValueError, match=f"^{name}=|^{name}:"):
        sweep(local, clean, **{name: value})


@pytest.mark.parametrize(
    "do",
    [
        lambda p, y, x, k: (p, p),
        lambda p, y, x, k: None,
        lambda p, y, x, k: p[:4],
        lambda p, y, x, k: (255 * p).astype(jnp.uint8),
    ],
)
def test_a_do_of_another_kind_is_refused(clean, local, do):
    with pytest.raises(ValueError, match=r"scene: do\(\)"):
        sweep(local, clean, scene=cem.Scene.custom(clean, clean, do))


def test_a_do_of_other_arguments_is_refused_when_the_scene_is_made(clean):
    with pytest.raises(ValueError, match=r"intervene: it takes \(p, y, x\)"):
        cem.Scene.custom(clean, clean, lambda p, y, x: p)


@pytest.mark.parametrize("plan", ["fixed:2", "coarse-to-fine:1,2"])
def test_calls_and_evaluated_count_what_was_computed(clean, local, plan):
    found = sweep(local, clean, plan=plan, chunk=2)
    record = found.provenance
    assert record["evaluations"] <= record["evaluated"]
    assert record["evaluated"] == record["calls"] * 2
    again = sweep(local, clean, plan=plan, chunk=2)
    assert again.provenance["calls"] == record["calls"]


def test_how_it_is_computed_is_one_record_or_its_fields(tmp_path, clean, local):
    how = cem.Compute(chunk=2, progress=False, directory=tmp_path)
    scene = cem.Scene.custom(clean, clean, unchanged)
    first = cem.causal_effect_map(local, scene, ROI, plan="fixed:2", compute=how)
    assert (tmp_path / "map.npz").exists()
    again = sweep(local, clean, chunk=2, directory=tmp_path)
    np.testing.assert_array_equal(first.values, again.values)
    other = cem.causal_effect_map(
        local, scene, ROI, plan="fixed:2", compute=how, directory=tmp_path / "b"
    )
    assert (tmp_path / "b" / "map.npz").exists() and other.provenance["evaluations_resumed"] == 0
