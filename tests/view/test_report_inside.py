"""The report of the inside of networks: what is in the file is what was found."""

import base64
import dataclasses
import json
import re
import zlib

import numpy as np
import pytest
from inside_maps import made_interactions, made_layers, made_mediated
from report_maps import made_map

import cem_jax as cem
from cem_jax.cli import look

MEDIATED = made_mediated("split")
PLAIN = made_map("plain", seed=1)
LAYERS = made_layers(MEDIATED.total)
PAIRS = made_interactions(MEDIATED.total, (1, 2), (3, 4))


def unpacked(value):
    data = zlib.decompress(base64.b64decode(value["data"]))
    return np.frombuffer(data, np.dtype(value["dtype"]).newbyteorder("<"))


def inside_of(path) -> list[dict]:
    text = path.read_text("utf-8")
    found = re.findall(r'class="inside" data-scene="(\d+)">([^<]*)</script>', text)
    return [{"scene": int(number), **json.loads(values)} for number, values in found]


def test_the_file_holds_the_effects_of_every_path(tmp_path):
    path = tmp_path / "report.html"
    cem.report([PLAIN, MEDIATED], path)
    (found,) = inside_of(path)
    assert found["scene"] == 0 and found.keys() == {"scene", "1"}  # the second map of the scene
    paths = found["1"]["paths"]
    for name in ("direct", "indirect"):
        own = getattr(MEDIATED, name)
        low, high = own.interval()
        for key, array in (("effect", own.effect), ("low", low), ("high", high)):
            np.testing.assert_array_equal(
                unpacked(paths[name][key]), array.astype(np.float32).ravel()
            )
    assert found["1"]["through"] == ["body.0.attention:reduce_sum"]
    assert found["1"]["share"]["value"] == pytest.approx(0.75)


def test_the_file_holds_layers_and_pairs_of_their_map(tmp_path):
    path = tmp_path / "report.html"
    cem.report(MEDIATED, path, [LAYERS, PAIRS])
    (found,) = inside_of(path)
    (layers,) = found["0"]["layers"]
    assert [row[0] for row in layers["rows"]] == ["body.0", "tail<b>"]
    assert layers["rows"][0][1] == pytest.approx(0.15)
    low, high = PAIRS.interval()
    assert found["0"]["pairs"] == [
        [[1, 2, 3, 4, 0.125, low[0, 1], high[0, 1]], [3, 4, 1, 2, 0.125, low[1, 0], high[1, 0]]]
    ]


def test_what_belongs_to_no_map_is_refused(tmp_path):
    with pytest.raises(ValueError, match="layers of network 'other'"):
        other = dict(LAYERS.provenance) | {"network": "other"}
        cem.report(MEDIATED, tmp_path / "a.html", [dataclasses.replace(LAYERS, provenance=other)])
    with pytest.raises(ValueError, match="interactions"):
        cem.report(PLAIN, tmp_path / "a.html", [PAIRS])


def test_maps_alone_have_nothing_inside(tmp_path):
    cem.report(PLAIN, tmp_path / "report.html")
    assert inside_of(tmp_path / "report.html") == []


def test_the_command_finds_the_parts_and_what_is_saved(tmp_path):
    MEDIATED.save(tmp_path / "split")
    (tmp_path / "plain").mkdir()
    PLAIN.save(tmp_path / "plain" / "map.npz")
    LAYERS.save(tmp_path / "layers.npz")
    PAIRS.save(tmp_path / "pairs.npz")
    look.report(
        [tmp_path], tmp_path / "report.html", [tmp_path / "layers.npz"], [tmp_path / "pairs.npz"]
    )
    (found,) = inside_of(tmp_path / "report.html")
    (own,) = (values for key, values in found.items() if key != "scene")
    assert own["paths"] and own["layers"] and own["pairs"]


def test_layers_are_saved_and_read(tmp_path):
    LAYERS.save(tmp_path / "layers.npz")
    read = cem.Layers.load(tmp_path / "layers.npz")
    for field in dataclasses.fields(read):
        own, other = getattr(read, field.name), getattr(LAYERS, field.name)
        if isinstance(other, np.ndarray):
            np.testing.assert_array_equal(own, other)
        elif field.name == "provenance":
            assert json.dumps(own) == json.dumps(dict(other))
        else:
            assert own == other
    PAIRS.save(tmp_path / "pairs.npz")
    with pytest.raises(ValueError, match=r"pairs.npz.* holds no layers"):
        cem.Layers.load(tmp_path / "pairs.npz")
    with pytest.raises(ValueError, match=r"layers.npz.* holds no interactions"):
        cem.Interactions.load(tmp_path / "layers.npz")


def test_notebooks_show_what_is_inside():
    shown = MEDIATED._repr_html_()
    assert shown.startswith("<iframe") and "class=&quot;inside&quot;" in shown
    for one in (LAYERS, PAIRS):
        assert one._repr_html_().startswith('<img alt="')
