"""What notebooks show: whole, within the HTML, and whatever the names are."""

import base64
import html
import io
import re
import sys
from types import SimpleNamespace

import matplotlib
import numpy as np
import pytest
from PIL import Image
from report_maps import made_map
from test_compare import drawn_alike

import cem_jax as cem
from cem_jax.effects import progress, request
from cem_jax.view.panels import MAP_AXES

matplotlib.use("Agg")
HOSTILE = '"></iframe><script>window.hit=1</script>'


@pytest.fixture(autouse=True)
def nothing_left_open():
    import matplotlib.pyplot as plt

    before = plt.get_fignums()
    yield
    assert set(plt.get_fignums()) <= set(before)  # another test's may be closed meanwhile


def framed(shown: str) -> str:
    """The page within a frame."""
    (page,) = re.findall(r'srcdoc="([^"]*)"></iframe>$', shown)
    assert shown.count("<iframe") == 1 and 'sandbox="allow-scripts allow-downloads"' in shown
    return html.unescape(page)


def test_a_map_is_the_report_of_it_in_a_frame():
    page = framed(made_map(HOSTILE)._repr_html_())
    assert page.startswith("<!DOCTYPE html>") and page.count('class="scene"') == 1
    assert "default-src 'none'" in page
    assert not re.search(r'(src|href)="(?!data:)', page)


def test_a_difference_is_the_report_of_both_maps():
    maps = [drawn_alike("first", 0), drawn_alike("second", 1)]
    page = framed(cem.difference(*maps)._repr_html_())
    assert '"difference":true' in page and page.count('class="scene"') == 1


def test_scenes_and_networks_are_small_tables(clean):
    scene = cem.Scene.denoising(clean, name=HOSTILE)
    shown = scene._repr_html_()
    assert HOSTILE not in shown and html.escape(HOSTILE) in shown
    pictures = re.findall(r'src="data:image/png;base64,([^"]+)"', shown)
    sizes = [Image.open(io.BytesIO(base64.b64decode(one))).size for one in pictures]
    assert sizes == [(88, 72)] * 2
    network = cem.wrap(
        lambda params, x: x * params, params=np.ones(3, np.float32), receptive_radius=0,
        name=HOSTILE,
    )  # fmt: skip
    shown = network._repr_html_()
    assert HOSTILE not in shown and ">3<" in shown and "0 px" in shown


def test_an_attribution_is_its_picture(clean, local):
    scene = cem.Scene.denoising(clean)
    found = cem.gradient_map(local, scene, cem.ROI(24, 32, 16, 16))
    (png,) = re.findall(r'src="data:image/png;base64,([^"]+)"', found._repr_html_())
    assert Image.open(io.BytesIO(base64.b64decode(png))).width > 400
    ax = found.plot()
    assert ax.get_label() == "attribution"
    texts = {text.get_text() for text in ax.figure.texts}
    assert {"lowers", "raises", "input"} <= texts and any("gradient" in text for text in texts)
    matplotlib.pyplot.close("all")


def test_results_draw_themselves():
    maps = [drawn_alike("first", 0), drawn_alike("second", 1)]
    assert maps[0].plot(look="paper").get_label() == MAP_AXES
    assert cem.difference(*maps).plot().get_label() == MAP_AXES
    _, ax = matplotlib.pyplot.subplots()
    assert maps[0].plot(ax, limit=0.1) is ax
    matplotlib.pyplot.close("all")


@pytest.mark.parametrize("name", ["ZMQInteractiveShell", "Shell"])
def test_progress_knows_notebooks_by_their_shell(name, monkeypatch):
    base = type("ZMQInteractiveShell", (), {})
    shell = base if name == "ZMQInteractiveShell" else type(name, (base,), {})
    told = SimpleNamespace(get_ipython=lambda: shell())
    monkeypatch.setitem(sys.modules, "IPython", told)
    assert isinstance(progress.suiting(), progress.NotebookProgress)


def test_progress_knows_the_map_so_far(clean, local, pool, monkeypatch):
    states, read, digest = [], [], request.digest_arrays
    monkeypatch.setattr(request, "digest_arrays", lambda given: read.append(1) or digest(given))

    class Follower:
        def follow(self, name):
            import contextlib

            @contextlib.contextmanager
            def following():
                yield lambda state: states.append((state, state.map()))

            return following()

    scene, roi = cem.Scene.denoising(clean), cem.ROI(24, 32, 16, 16)
    found = cem.causal_effect_map(
        local, scene, roi, pool=pool, plan=cem.CoarseToFine(2, 4), progress=Follower(), chunk=8
    )
    assert len(states) > 3 and {state.stage for state, _ in states} == {1, 2}
    assert 0 < len(read) <= 4 < len(states)  # a large photograph is not read for every map
    drawn = [int((one.samples > 0).sum()) for _, one in states]
    assert drawn[0] < drawn[-1] and drawn == sorted(drawn)
    for name in ("effect", "standard_error", "samples", "undecided", "values"):
        np.testing.assert_array_equal(getattr(states[-1][1], name), getattr(found, name))
