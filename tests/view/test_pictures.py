"""Figures as pictures: everything within the canvas, nothing over something else, all shapes."""

import dataclasses
import io
import itertools

import matplotlib
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.text import Text
from PIL import Image
from report_maps import made_map

import cem_jax as cem
from cem_jax.view.layer import layer_of, part_that_matters, sign_uncertain
from cem_jax.view.panels import MAP_AXES

matplotlib.use("Agg")


@pytest.fixture(autouse=True)
def closed():
    import matplotlib.pyplot as plt

    yield
    plt.close("all")


def photograph(height: int, width: int) -> np.ndarray:
    image = Image.fromarray(cem.example_image("castle"))
    return np.asarray(image.resize((width, height)))


def of_size(height: int, width: int, roi: cem.ROI, **changes) -> cem.EffectMap:
    return made_map(roi=roi, image=photograph(height, width), **changes)


ROI = cem.ROI(96, 112, 32, 32)
ROI_OF_64 = cem.ROI(24, 24, 16, 16)


def nothing_decided() -> cem.EffectMap:
    found = of_size(256, 256, ROI)
    return dataclasses.replace(found, standard_error=np.full_like(found.effect, 5.0))


SHAPES = {
    "landscape": lambda: of_size(200, 320, ROI),
    "portrait": lambda: of_size(320, 200, ROI),
    "4K": lambda: of_size(2160, 3840, cem.ROI(1000, 2600, 32, 32)),
    "panorama": lambda: of_size(128, 1024, cem.ROI(48, 640, 32, 32)),
    "tower": lambda: of_size(1024, 128, cem.ROI(640, 48, 32, 32)),
    "64 x 64": lambda: of_size(64, 64, cem.ROI(24, 24, 16, 16)),
    "one block": lambda: of_size(8, 16, cem.ROI(0, 0, 8, 8)),
    "ragged": lambda: of_size(61, 83, cem.ROI(20, 30, 9, 13)),
    "nothing decided": nothing_decided,
    "no effect": lambda: dataclasses.replace(of_size(256, 256, ROI), tolerance=9.0),
    "all blocks": lambda: of_size(160, 160, cem.ROI(64, 64, 16, 16), reach=99.0, few=99.0),
    "no extremes": lambda: dataclasses.replace(of_size(256, 256, ROI), extremes=None),
    "long names": lambda: of_size(
        256, 256, ROI, task="name " * 40, unit="u" * 90,
        provenance={"network": "n" * 300, "scene_name": "s" * 300},
    ),
}  # fmt: skip


def texts_of(figure) -> list[tuple[str, np.ndarray]]:
    """Every text that is drawn, and its box in pixels: left, lower, right, upper end."""
    renderer = FigureCanvasAgg(figure).get_renderer()
    found = []
    for text in figure.findobj(Text):
        shown = text.get_visible() and text.get_text().strip()
        off = text.axes is not None and not text.axes.axison
        if shown and not off:
            box = text.get_window_extent(renderer)
            found.append((text.get_text(), np.array([box.x0, box.y0, box.x1, box.y1])))
    return found


def overlap(first: np.ndarray, second: np.ndarray) -> bool:
    """Whether two boxes share more than the half pixel that letters are rounded by."""
    low, high = np.maximum(first[:2], second[:2]), np.minimum(first[2:], second[2:])
    return bool((high - low > 0.5).all())


def check(figure) -> None:
    """Texts lie within the canvas, and neither on each other nor on pictures."""
    texts = texts_of(figure)
    assert len(texts) > 5
    width, height = figure.canvas.get_width_height()
    for text, (left, low, right, high) in texts:
        assert left >= 0 and low >= 0 and right <= width and high <= height, text
    for (one, box), (other, place) in itertools.combinations(texts, 2):
        assert not overlap(box, place), (one, other)
    areas = [
        np.array([box.x0, box.y0, box.x1, box.y1])
        for box in (ax.get_window_extent() for ax in figure.axes)
    ]
    for area in areas:
        assert area[:2].min() >= 0 and area[2] <= width and area[3] <= height
        for text, box in texts:
            assert not overlap(area, box), text
    for one, other in itertools.combinations(areas, 2):
        assert not overlap(one, other)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_map_of_any_shape_is_complete(shape):
    found = SHAPES[shape]()
    check(cem.plot(found).figure)
    check(cem.plot_teaser([found, of_size(64, 64, cem.ROI(24, 24, 16, 16))]))


@pytest.mark.parametrize("shape", ["landscape", "one block", "no effect", "long names"])
def test_a_map_in_the_look_of_the_paper_is_complete(shape):
    found = SHAPES[shape]()
    check(cem.plot(found, look="paper").figure)
    check(cem.plot_teaser([found, of_size(64, 64, cem.ROI(24, 24, 16, 16))], look="paper"))


@pytest.mark.parametrize(("size", "family"), [(5.0, "monospace"), (16.0, "serif")])
def test_texts_fit_in_any_font(size, family):
    with matplotlib.rc_context({"font.size": size, "font.family": family}):
        maps = [of_size(200, 320, ROI, network="a-name-that-is-long"), of_size(256, 256, ROI)]
        check(cem.plot(maps[0]).figure)
        check(cem.plot_teaser(maps))


@pytest.mark.parametrize("many", [2, 3, 7])
def test_maps_of_one_scene_stand_in_rows(many):
    maps = [of_size(256, 256, ROI, network=f"network {n}", seed=n) for n in range(many)]
    figure = cem.plot_teaser(maps)
    check(figure)
    drawn = [ax for ax in figure.axes if ax.get_label() == MAP_AXES]
    assert len(drawn) == many
    assert len({ax.get_xlim() + ax.get_ylim() for ax in drawn}) == 1  # all show the same part


@pytest.mark.parametrize("name", ["DSC_" * 60, "a long name of words " * 12])
def test_a_long_name_leaves_the_region_in_sight(name):
    found = of_size(256, 256, ROI, provenance={"network": "net", "scene_name": name})
    for figure in (cem.plot(found).figure, cem.plot_teaser([found, of_size(64, 64, ROI_OF_64)])):
        check(figure)
        told = " ".join(text for text, _ in texts_of(figure))
        region = "region 32\u00a0\u00d7\u00a032 at y 96, x 112"
        assert region in told and name[:9] in told and name.strip()[-4:] in told


DARK = {"figure.facecolor": "black", "axes.facecolor": "black", "text.color": "white"}


def test_texts_have_the_colour_that_is_set():
    with matplotlib.rc_context(DARK):
        figure = cem.plot(of_size(200, 320, ROI)).figure
    shown = [text for text in figure.findobj(Text) if text.get_text().strip()]
    assert len(shown) > 5 and {text.get_color() for text in shown} == {"white"}


def test_pictures_stand_upright_whatever_is_set():
    def pixels() -> np.ndarray:
        drawn = io.BytesIO()
        cem.plot(of_size(200, 320, ROI)).figure.savefig(drawn, format="png")
        return np.asarray(Image.open(drawn))

    expected = pixels()
    with matplotlib.rc_context({"image.origin": "lower"}):
        np.testing.assert_array_equal(pixels(), expected)


def test_lines_lead_to_a_part_that_is_hard_to_find():
    def lines(found: cem.EffectMap) -> list[np.ndarray]:
        ax = next(
            ax for ax in cem.plot(found).figure.axes
            if ax.images and ax.get_xlim()[1] == found.degraded.shape[1] - 0.5
        )  # fmt: skip
        return [line for one in ax.collections for line in one.get_segments()]

    assert not lines(of_size(200, 320, ROI))
    found = SHAPES["4K"]()
    near = part_that_matters([layer_of(found)])
    ends = np.concatenate(lines(found))
    inside = (ends[:, 0] > near.left) & (ends[:, 0] < near.left + near.width - 1)
    inside &= (ends[:, 1] > near.top) & (ends[:, 1] < near.top + near.height - 1)
    assert len(ends) == 16 and not inside.any()  # none is drawn over the part itself


def test_a_plain_savefig_cuts_nothing_off(tmp_path):
    figure = cem.plot(of_size(200, 320, ROI)).figure
    figure.savefig(tmp_path / "map.png")
    pixels = np.asarray(Image.open(tmp_path / "map.png").convert("L"))
    edges = [pixels[:6], pixels[-6:], pixels[:, :6], pixels[:, -6:]]
    assert all((edge == 255).all() for edge in edges)
    assert (pixels < 255).mean() > 0.2


def test_the_picture_is_mostly_of_what_matters():
    found = SHAPES["4K"]()
    ax = cem.plot(found).axes
    near = part_that_matters([layer_of(found)])
    assert near.height * near.width < 0.01 * 2160 * 3840
    assert ax.get_xlim() == (near.left - 0.5, near.left + near.width - 0.5)
    whole = cem.plot(found, zoom="whole").axes
    assert whole.get_xlim() == (-0.5, 3839.5) and whole.get_ylim() == (2159.5, -0.5)
    effect = np.nan_to_num(found.thresholded)
    rows, columns = np.nonzero(effect)
    assert rows.min() * 8 >= near.top and rows.max() * 8 + 8 <= near.top + near.height
    assert columns.min() * 8 >= near.left and columns.max() * 8 + 8 <= near.left + near.width
    (frame,) = {
        patch.get_bbox().bounds
        for ax in cem.plot(found).figure.axes if ax.get_xlim() == (-0.5, 3839.5)
        for patch in ax.patches if patch.get_bbox().bounds[2] == near.width
    }  # fmt: skip
    assert frame == (near.left - 0.5, near.top - 0.5, near.width, near.height)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_part_that_is_shown_enlarged_is_larger_than_in_the_input(shape):
    found = SHAPES[shape]()
    across = {}
    for ax in cem.plot(found).figure.axes:
        first, last = sorted(ax.get_xlim())
        across[ax.get_label()] = ax.get_window_extent().width / (last - first)
        if last - first == found.degraded.shape[1] * found.scale and not ax.get_label():
            across["input"] = ax.get_window_extent().width / (last - first)
    assert across[MAP_AXES] >= across["input"] * 0.999
    if part_that_matters([layer_of(found)]) != layer_of(found).whole:
        assert across[MAP_AXES] > 1.5 * across["input"]


def hatched(ax) -> np.ndarray:
    """Corners of the hatched blocks, as (row, column)."""
    lines = np.concatenate([one.get_segments() for one in ax.collections] or [np.zeros((0, 2, 2))])
    middles = lines.mean(axis=1) if len(lines) else np.zeros((0, 2))
    return np.unique(((middles[:, ::-1] + 0.5) // 8).astype(int), axis=0)


def test_blocks_of_uncertain_sign_are_hatched():
    found = of_size(256, 256, ROI)
    expected = np.argwhere(sign_uncertain(found))
    assert 3 < len(expected) < np.count_nonzero(np.nan_to_num(found.thresholded))
    np.testing.assert_array_equal(hatched(cem.plot(found)), expected)
    np.testing.assert_array_equal(hatched(cem.plot(found, _axes())), expected)
    assert not len(hatched(cem.plot(found, look="paper")))
    shown = [text for text, _ in texts_of(cem.plot(found).figure)]
    assert any(text.startswith(f"sign uncertain in {len(expected)}") for text in shown)


def test_where_no_interval_is_known_no_sign_is_sure():
    found = of_size(256, 256, ROI)
    unknown = dataclasses.replace(found, standard_error=np.full_like(found.effect, np.nan))
    coloured = (np.abs(found.effect) >= found.tolerance) & ~found.inside_roi
    np.testing.assert_array_equal(sign_uncertain(unknown), coloured)


def test_within_the_region_the_input_is_seen():
    found = of_size(256, 256, ROI)
    painted = np.asarray(cem.plot(found).images[1].get_array())
    assert (painted[found.inside_roi, 3] == 0).all() and (painted[~found.inside_roi, 3] > 0.8).all()
    paper = np.asarray(cem.plot(found, look="paper").images[1].get_array())
    np.testing.assert_allclose(paper[found.inside_roi, :3], [[0, 0.75, 0.2]] * 16)


def test_maps_of_a_scene_share_a_scale_and_say_so():
    weak, strong = of_size(256, 256, ROI, network="weak"), of_size(256, 256, ROI, network="strong")
    weak = dataclasses.replace(weak, effect=0.2 * weak.effect)
    painted = {}
    for scale in ("shared", "own"):
        figure = cem.plot_teaser([weak, strong], scale=scale)
        drawn = [ax for ax in figure.axes if ax.get_label() == MAP_AXES]
        painted[scale] = [np.asarray(ax.images[1].get_array()) for ax in drawn]
        told = {"shared": "one scale", "own": "scale of its own"}[scale]
        assert any(told in text for text, _ in texts_of(figure))
        check(figure)
    np.testing.assert_array_equal(painted["shared"][1], painted["own"][1])
    assert np.abs(painted["shared"][0] - painted["own"][0]).max() > 0.2


def test_a_sliver_is_seen_and_is_a_number():
    found = SHAPES["4K"]()
    figure = cem.plot(found).figure
    counts = found.counts
    texts = [text for text, _ in texts_of(figure)]
    assert f"{counts.positive} help" in texts and f"{counts.negative} harm" in texts
    bars = next(ax for ax in figure.axes if len(ax.patches) == 3 and not ax.images)
    widths = [bar.get_width() for bar in bars.patches]
    assert min(widths) > 0.01 and sum(widths) == pytest.approx(1)


def test_effects_beyond_the_scale_are_said():
    figure = cem.plot(of_size(256, 256, ROI), limit=0.05).figure
    check(figure)
    texts = [text for text, _ in texts_of(figure)]
    assert "\u2265 +0.05" in texts and any("beyond the ends" in text for text in texts)


def test_formats_can_be_written(tmp_path):
    figure = cem.plot(SHAPES["4K"]()).figure
    for suffix in ("png", "pdf", "svg"):
        figure.savefig(tmp_path / f"map.{suffix}")
        assert 5_000 < (tmp_path / f"map.{suffix}").stat().st_size < 3e6


def test_the_look_of_the_paper_has_its_colours():
    found = of_size(256, 256, ROI)
    pictures = {}
    for look in ("clear", "paper"):
        drawn = io.BytesIO()
        cem.plot(found, look=look).figure.savefig(drawn, format="png")
        pictures[look] = np.asarray(Image.open(drawn).convert("RGB")).reshape(-1, 3)
    blue = (pictures["paper"][:, 2] > 240) & (pictures["paper"][:, :2].max(axis=1) < 60)
    assert blue.sum() > 1000  # the pure blue of `seismic`
    other = (pictures["clear"][:, 2] > 240) & (pictures["clear"][:, :2].max(axis=1) < 60)
    assert not other.any()


@pytest.mark.parametrize(
    "option", [{"look": "papers"}, {"zoom": 3}, {"limit": 0}, {"limit": float("nan")}]
)
def test_what_is_no_option_is_named(option):
    import matplotlib.pyplot as plt

    (name,) = option
    for draw in (cem.plot, lambda one, **how: cem.plot_teaser([one], **how)):
        with pytest.raises(ValueError, match=f"{name}="):
            draw(of_size(64, 64, cem.ROI(24, 24, 16, 16)), **option)
    assert not plt.get_fignums()
    with pytest.raises(ValueError, match="scale='each'"):
        cem.plot_teaser([of_size(64, 64, cem.ROI(24, 24, 16, 16))], scale="each")


@pytest.mark.parametrize(("many", "message"), [(0, "at least one"), (25, "expected 1 to 24")])
def test_a_figure_holds_so_many_maps(many, message):
    with pytest.raises(ValueError, match=rf"maps.*{message}"):
        cem.plot_teaser([of_size(64, 64, cem.ROI(24, 24, 16, 16))] * many)


def _axes():
    import matplotlib.pyplot as plt

    return plt.subplots()[1]
