"""What a map's file may hold: our own come back, all else is one line that names the file."""

import dataclasses
import io
import json
import pickle
import re
import struct
import zipfile
from pathlib import Path

import numpy as np
import pytest
from report_maps import made_map

import cem_jax as cem
from cem_jax.map.images import Images
from cem_jax.map.map_file import _ARRAYS, _PARTS, map_bytes

PIXELS = np.random.default_rng(0).integers(0, 256, (2, 96, 104, 3), np.uint8)
MAP = made_map(shape=(12, 13), images=Images(*PIXELS))


def refused(path: Path) -> str:
    """The message for a file, which must be one line that names it."""
    with pytest.raises(ValueError) as error:
        cem.EffectMap.load(path)
    text = str(error.value)
    assert text.startswith(f"path={str(path)!r} holds no effect map: ") and "\n" not in text
    assert len(text) < len(str(path)) + 400 and "pickle" not in text.replace("of.pickle", "")
    return text


def whole() -> bytes:
    return map_bytes({field.name: getattr(MAP, field.name) for field in dataclasses.fields(MAP)})


def parts() -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(whole())) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def written(path: Path, members: dict[str, bytes], kind: int = zipfile.ZIP_DEFLATED) -> Path:
    with zipfile.ZipFile(path, "w", kind) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return path


def npy(array: object) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, np.asarray(array), allow_pickle=True)
    return buffer.getvalue()


def with_record(path: Path, **changes: object) -> Path:
    found = parts()
    record = json.loads(str(np.load(io.BytesIO(found["record.npy"]))))
    record = {key: value for key, value in (record | changes).items() if value is not ...}
    return written(path, found | {"record.npy": npy(json.dumps(record))})


def test_a_map_comes_back(tmp_path):
    MAP.save(tmp_path / "map.npz")
    found = cem.EffectMap.load(tmp_path / "map.npz")
    for field in dataclasses.fields(found):
        ours, theirs = getattr(MAP, field.name), getattr(found, field.name)
        if field.name in _PARTS:
            for name in _PARTS[field.name]:
                name = name.removeprefix(f"{field.name}_")
                np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name))
        elif field.name in _ARRAYS:
            np.testing.assert_array_equal(ours, theirs)
            assert ours.dtype == theirs.dtype
        else:
            assert ours == theirs
    assert not found.effect.flags.writeable


def test_numbers_of_numpy_are_saved_as_python_has_them(tmp_path):
    other = dataclasses.replace(
        MAP, tolerance=np.float32(0.25), block=np.int64(8), baseline=np.float64(27.25),
        provenance={"network": "n", "seed": np.int32(3), "place": Path("a")},
    )  # fmt: skip
    other.save(tmp_path / "map.npz")
    found = cem.EffectMap.load(tmp_path / "map.npz")
    assert (found.tolerance, found.block, found.baseline) == (0.25, 8, 27.25)
    assert type(found.block) is int and type(found.tolerance) is float
    assert found.provenance == {"network": "n", "seed": 3, "place": "a"}


BYTES = {
    "nothing": b"", "text": b"no map\n", "pickle": pickle.dumps({"effect": [1]}),
    "one array": npy(np.zeros(3)), "objects": npy(np.array([{}], object)),
    "a zip's end": b"PK\x05\x06" + bytes(18), "zeros": bytes(10_000),
}  # fmt: skip


@pytest.mark.parametrize("case", BYTES)
def test_another_file_is_refused(case, tmp_path):
    path = tmp_path / f"of.{case.replace(' ', '_')}"
    path.write_bytes(BYTES[case])
    refused(path)
    with pytest.raises(ValueError, match=re.escape(f"path={str(path)!r} holds no pool: ")):
        cem.PatchPool.load(path)
    with pytest.raises(ValueError, match=re.escape(f"path={str(path)!r} holds no attribution: ")):
        cem.Attribution.load(path)


def test_what_is_no_file_is_refused_at_once(tmp_path):
    import os

    (tmp_path / "folder").mkdir()
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for name in ("folder", "pipe", "loop", "missing", "null\0"):
        refused(tmp_path / name)


def test_a_file_cut_off_or_damaged_anywhere_is_refused_or_right(tmp_path):
    data = whole()
    path = tmp_path / "map.npz"
    for end in np.linspace(0, len(data) - 1, 40, dtype=int):
        path.write_bytes(data[:end])
        refused(path)
    rng = np.random.default_rng(0)
    refusals = 0
    for place in rng.integers(len(data), size=150):
        path.write_bytes(data[:place] + bytes([data[place] ^ 0x55]) + data[place + 1 :])
        try:
            found = cem.EffectMap.load(path)
        except ValueError as error:
            refusals += 1
            assert str(error).startswith(f"path={str(path)!r}")
        else:  # a byte that says nothing, as a date
            np.testing.assert_array_equal(found.values, MAP.values)
    assert refusals > 100


RECORDS = {
    "list": ("[]", "expected keys and values"),
    "number": ("3", "expected keys and values"),
    "null": ("null", "expected keys and values"),
    "deep": ("[" * 100_000, "no JSON"),
    "no JSON": ("{", "no JSON"),
    "empty": ("{}", "format None"),
}


@pytest.mark.parametrize("case", RECORDS)
def test_a_record_of_another_kind_is_refused(case, tmp_path):
    text, message = RECORDS[case]
    assert message in refused(written(tmp_path / "m", parts() | {"record.npy": npy(text)}))


CHANGES = {
    "no baseline": ({"baseline": ...}, "missing baseline"),
    "no roi": ({"roi": ...}, "missing roi"),
    "no provenance": ({"provenance": ...}, "missing provenance"),
    "unknown": ({"colour": 1}, "unknown colour"),
    "newer": ({"format_version": 3}, "format 3; this version reads up to 2"),
    "text for number": ({"baseline": "27"}, "baseline is '27'; expected a number"),
    "NaN": ({"tolerance": float("nan")}, "tolerance is 'nan'"),
    "truth": ({"scale": True}, "scale is 'True'"),
    "no block": ({"block": 0}, "block is '0'"),
    "path for block": ({"block": "../.."}, "block is '../..'"),
    "another block": ({"block": 4}, "effect is float64[12, 13]; expected the shape [24, 26]"),
    "huge block": ({"block": 10**30}, "expected the shape [1, 1]"),
    "task": ({"task": ["DN"]}, "task is"),
    "roi of a list": ({"roi": [0, 0, 8, 8]}, "roi is no region"),
    "roi of texts": ({"roi": {"y": "0", "x": 0, "height": 8, "width": 8}}, "roi.y='0'"),
    "roi outside": ({"roi": {"y": 90, "x": 0, "height": 8, "width": 8}}, "leaves the image"),
    "network": ({"provenance": {"network": {}}}, "provenance is"),
    "seconds": ({"provenance": {"network": "n", "seconds": "1"}}, "provenance is"),
    "format 1 without more": ({"format_version": 1, "provenance": {}}, "does not fit format 1"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_record_that_does_not_fit_is_refused(case, tmp_path):
    changes, message = CHANGES[case]
    assert message in refused(with_record(tmp_path / "map.npz", **changes))


def test_maps_of_the_first_format_are_read(tmp_path):
    plan = {"network": "n", "outcome": "psnr", "seconds": 1.0}
    path = with_record(tmp_path / "m", format_version=1, outcome=..., unit=..., provenance=plan)
    found = parts()
    with zipfile.ZipFile(path) as archive:
        record = archive.read("record.npy")
    written(path, {k: v for k, v in found.items() if k != "undecided.npy"} | {"record.npy": record})
    again = cem.EffectMap.load(path)
    assert (again.outcome, again.unit) == ("psnr", "dB")
    np.testing.assert_array_equal(again.undecided, MAP.undecided & ~MAP.inside_roi)


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("name", [*_ARRAYS, *_PARTS["extremes"], *_PARTS["images"]])
def test_an_array_that_is_missing_or_of_another_kind_is_refused(name, tmp_path):
    members, path = parts(), tmp_path / "map.npz"
    member = f"{name}.npy"
    assert name in refused(written(path, {k: v for k, v in members.items() if k != member}))
    for other in ("a text", 3, np.zeros((2, 3, 4, 5, 6, 7)), np.zeros(4, "M8[s]"), np.zeros(0)):
        assert name in refused(written(path, members | {member: npy(other)}))
    refused(written(path, members | {member: npy(np.array([{}], object))}))


def test_maps_without_whole_images_are_read(tmp_path):
    members = {name: data for name, data in parts().items() if not name.startswith("images_")}
    assert cem.EffectMap.load(written(tmp_path / "m", members)).images is None
    for wrong in (PIXELS[0][:-1], PIXELS[0][..., :1], PIXELS[0].astype(np.uint16)):
        refused(written(tmp_path / "m", parts() | {"images_clean.npy": npy(wrong)}))


def test_extremes_that_lie_nowhere_are_refused(tmp_path):
    cells = MAP.extremes.cells.copy()
    for wrong in (-1, MAP.effect.size):
        cells[0] = wrong
        members = parts() | {"extremes_cells.npy": npy(cells)}
        assert "extremes_cells lie outside" in refused(written(tmp_path / "m", members))


def head_of(shape: str, dtype: str = "'<f8'") -> bytes:
    text = f"{{'descr': {dtype}, 'fortran_order': False, 'shape': {shape}, }}".ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text.encode()


@pytest.mark.parametrize(
    "head",
    [
        head_of("(10000000000000,)"), head_of("(4294967296, 4294967296, 4294967296)"),
        head_of("(-1,)"), head_of("(1, -5)"), head_of("(3.5,)"), head_of("3"),
        head_of("(2,)", "'O'"), head_of("(2,)", "[('a', '<f8')]"),
        head_of("(2,)", "'|V1000000000'"), head_of("(2,)", "'<U0'"),
        head_of("__import__('os')"), b"\x93NUMPY\x03\x00" + bytes(9), b"\x93NUMPY\x01\x00\xff\xff",
    ],
)  # fmt: skip
def test_a_head_that_claims_what_is_not_there_costs_nothing(head, tmp_path):
    path = written(tmp_path / "m", parts() | {"effect.npy": head + bytes(16)})
    refused(path)
    pool = written(tmp_path / "p", {"patches.npy": head + bytes(16)})
    with pytest.raises(ValueError, match="holds no pool"):
        cem.PatchPool.load(pool)


def test_zeros_that_unpack_to_more_than_memory_holds_are_refused(tmp_path):
    """A member that claims a terabyte: its head in the archive, a few bytes behind it."""
    path = written(tmp_path / "m", parts() | {"values.npy": head_of("(125000000000,)")})
    data = bytearray(path.read_bytes())
    entry = data.rindex(b"PK\x01\x02", 0, data.rindex(b"values.npy"))
    data[entry + 24 : entry + 28] = struct.pack("<I", 0xFFFFFFF0)  # its length, unpacked
    path.write_bytes(bytes(data))
    assert "values.npy claims 4294967280 bytes" in refused(path)


def test_an_encrypted_or_unknown_compression_is_refused(tmp_path):
    path = written(tmp_path / "m", parts())
    whole = path.read_bytes()
    for place, value in ((8, 1), (10, 99)):
        data = bytearray(whole)
        for start in [m.start() for m in re.finditer(b"PK\x01\x02", whole)]:
            data[start + place] = value
        path.write_bytes(bytes(data))
        refused(path)
