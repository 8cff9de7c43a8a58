"""Checkpoints: every format and wrapping is read, no file runs or exhausts anything."""

import json
import subprocess
import sys
import time
import tracemalloc
import zipfile

import numpy as np
import pytest
from PIL import Image
from safetensors.numpy import save_file
from torch_writer import (
    call,
    described,
    items,
    legacy,
    legacy_file,
    mapping,
    named,
    number,
    pickled,
    storage,
    tensor,
    text,
    zip_file,
    zipped,
)  # fmt: skip

import cem_jax as cem
from cem_jax.models import registry
from cem_jax.models.convert import torch_shapes

read = cem.models.read_state_dict


def formula_state(name: str, **config) -> dict[str, np.ndarray]:
    """Random weights of a network, with the tables and second names that torch lists too."""
    entry, rng = registry.find(name), np.random.default_rng(7)
    architecture, config = entry.architecture, {**entry.config, **config}
    shapes = torch_shapes(registry.nnx.state(registry._abstract(architecture, config)))
    state = {k: 0.1 * rng.standard_normal(s, np.float32) for k, s in shapes.items()}
    if hasattr(architecture, "tables"):
        state |= architecture.tables(**config)
    if hasattr(architecture, "aliases"):
        state |= {k: state[first] for k, first in architecture.aliases(**config).items()}
    return state


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        np.testing.assert_array_equal(found[key], value)
        assert found[key].dtype == value.dtype


@pytest.fixture(scope="module")
def state() -> dict[str, np.ndarray]:
    return formula_state("DnCNN", in_nc=3, out_nc=3, nc=4, nb=3)


def as_orbax(path, tree):
    from orbax.checkpoint import v1 as ocp

    ocp.save(path, tree)


WRITERS = {
    "zip.pth": lambda path, state: path.write_bytes(zip_file(state)),
    "zip.pt": lambda path, state: path.write_bytes(zip_file(state)),
    "legacy.pth": lambda path, state: path.write_bytes(legacy_file(state)),
    "plain.safetensors": lambda path, state: save_file(state, path),
    "directory": as_orbax,
}


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("prefix", ["", "module."])
def test_every_format_is_read(name, prefix, state, tmp_path):
    path = tmp_path / name
    WRITERS[name](path, {prefix + key: value for key, value in state.items()})
    assert_same(read(path), state)
    image = np.full((1, 5, 7, 3), 0.5, np.float32)
    np.testing.assert_array_equal(
        cem.load("DnCNN", path)(image), cem.from_torch("DnCNN", state)(image)
    )


@pytest.mark.parametrize("write", [zip_file, legacy_file])
@pytest.mark.parametrize(
    ("keys", "chosen"),
    [
        (("params", "params_ema"), "params_ema"),
        (("state_dict", "params"), "params"),
        (("state_dict",), "state_dict"),
    ],
)
def test_wrappers_are_opened_and_other_entries_left_alone(write, keys, chosen, state, tmp_path):
    others = {f"other {key}": value + 1 for key, value in state.items()}

    def wrap(entries):
        other = {k.removeprefix("other "): v for k, v in entries.items() if k in others}
        wanted = {k: v for k, v in entries.items() if k not in others}
        parts = {key: mapping(wanted if key == chosen else other) for key in keys}
        return mapping({"epoch": number(7), "optimizer": b"]", **parts})

    path = tmp_path / "wrapped.pth"
    path.write_bytes(write({**others, **state} if len(keys) > 1 else state, wrap))
    assert_same(read(path), state)


def test_one_of_several_state_dicts_is_chosen_by_its_key(state, tmp_path):
    path = tmp_path / "levels.pth"
    path.write_bytes(zip_file(state, lambda entries: mapping({"0": b"}", "24": mapping(entries)})))
    assert_same(read(path, part="24"), state)
    assert cem.load("DnCNN", path, part="24").name == "DnCNN"
    with pytest.raises(ValueError, match=r"part=: '0', '24'"):
        read(path)
    with pytest.raises(ValueError, match=r"part='25'.*'0', '24'"):
        read(path, part="25")


def test_half_precision_becomes_float32(tmp_path):
    import ml_dtypes

    values = np.array([[1.5, -2.0, 0.25]], np.float32)
    brain = values.astype(ml_dtypes.bfloat16)
    for write in (zip_file, legacy_file):
        path = tmp_path / f"{write.__name__}.pth"
        path.write_bytes(write({"b": brain.view(np.uint16), "h": values.astype(np.float16)}))
        assert_same(read(path), {"b": values, "h": values})
    save_file({"b": brain, "h": values.astype(np.float16)}, tmp_path / "half.safetensors")
    assert_same(read(tmp_path / "half.safetensors"), {"b": values, "h": values})
    as_orbax(tmp_path / "half", {"params": {"b": brain}, "step": 3})
    assert_same(read(tmp_path / "half"), {"b": values})


def test_views_and_shared_storages_are_read_as_torch_means_them(tmp_path):
    data = np.arange(12, dtype=np.float32)
    stored = storage("0", "FloatStorage", 12)
    body = {
        "all": tensor(stored, (12,), (1,)),
        "transposed": tensor(stored, (3, 2), (1, 3), 6),
        "scalar": tensor(stored, (), (), 5),
        "nothing": tensor(stored, (0, 4), (4, 1)),
        "parameter": call(
            named("torch._utils", "_rebuild_parameter"),
            tensor(stored, (2,), (6,)), b"\x88", call(named("collections", "OrderedDict")),
        ),
    }  # fmt: skip
    path = tmp_path / "views.pth"
    path.write_bytes(zipped(mapping(body), {"0": data.tobytes()}))
    assert_same(
        read(path),
        {
            "all": data, "transposed": data[6:].reshape(2, 3).T, "scalar": data[5],
            "nothing": np.zeros((0, 4), np.float32), "parameter": data[::6],
        },
    )  # fmt: skip


@pytest.mark.parametrize("old", [False, True])
def test_what_torch_writes_is_read(old, tmp_path):
    torch = pytest.importorskip("torch")
    module = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4))
    state = module.state_dict()
    state["shared"] = state["0.weight"]
    state["turned"] = state["0.weight"].permute(2, 3, 1, 0)[1:]
    state["half"], state["brain"] = state["0.weight"].half(), state["0.weight"].bfloat16()
    state["parameter"] = module[0].weight
    saved = {
        "params": state,
        "epoch": 3,
        "optimizer": torch.optim.Adam(module.parameters()).state_dict(),
    }
    path = tmp_path / "official.pth"
    torch.save(saved, path, _use_new_zipfile_serialization=not old)
    found = read(path)
    assert found.keys() == state.keys()
    for key, value in state.items():
        value = value.float() if value.is_floating_point() else value
        np.testing.assert_array_equal(found[key], value.detach().numpy())
    torch.save(module, path, _use_new_zipfile_serialization=not old)
    with pytest.raises(ValueError, match=r"asks for 'torch\.nn\.modules\.container\.Sequential'"):
        read(path)


def refused(data: bytes, tmp_path, message: str, seconds: float = 30.0) -> None:
    """A file ends in one clear ValueError, within time and memory."""
    path = tmp_path / "hostile.pth"
    path.write_bytes(data)
    tracemalloc.start()
    begin = time.perf_counter()
    try:
        with pytest.raises(ValueError, match=message) as caught:
            read(path)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert str(path) in str(caught.value) and len(str(caught.value)) < 1000
    assert time.perf_counter() - begin < seconds
    assert peak < 400e6


def values(body: bytes) -> bytes:
    """A state dict whose only entry is made by some instructions."""
    return zipped(mapping({"a": body}), {"0": bytes(16)})


FOUR = storage("0", "FloatStorage", 4)
FORBIDDEN = {
    "os.system": call(named("os", "system"), text("touch SENTINEL")),
    "builtins.eval": call(named("builtins", "eval"), text("open('SENTINEL', 'w')")),
    "torch.storage._load_from_bytes": call(named("torch.storage", "_load_from_bytes"), text("a")),
    "numpy.core.multiarray.scalar": named("numpy.core.multiarray", "scalar"),
    "numpy._core.multiarray._reconstruct": named("numpy._core.multiarray", "_reconstruct"),
    "model.LapSRN.Net": named("model.LapSRN", "Net"),
    "collections.OrderedDict.fromkeys": named("collections", "OrderedDict.fromkeys"),
    "subprocess.Popen": b"\x8c\x0asubprocess\x8c\x05Popen\x93",
    "torch.UntypedStorage": named("torch", "UntypedStorage"),
}


@pytest.mark.parametrize("name", FORBIDDEN)
@pytest.mark.parametrize("old", [False, True])
def test_names_that_no_tensor_needs_are_refused_by_name(name, old, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    body = mapping({"a": FORBIDDEN[name]})
    refused(legacy(body, {}) if old else zipped(body, {}), tmp_path, f"asks for '{name}'")
    assert not (tmp_path / "SENTINEL").exists()


OTHER_INSTRUCTIONS = {
    "INST": b"(ios\nsystem\n",
    "OBJ": b"(" + named("torch", "Size") + b"o",
    "NEWOBJ": named("torch", "Size") + b")\x81",
    "NEWOBJ_EX": named("torch", "Size") + b")}\x92",
    "EXT1": b"\x82\x01",
    "PERSID": b"P1\n",
    "NEXT_BUFFER": b"\x97",
    "EMPTY_SET": b"\x8f",
    "STRING": b"S'a'\n",
}


@pytest.mark.parametrize("name", OTHER_INSTRUCTIONS)
def test_instructions_that_no_tensor_needs_are_refused_by_name(name, tmp_path):
    refused(values(OTHER_INSTRUCTIONS[name]), tmp_path, f"instruction {name},")


def doubled(times: int) -> bytes:
    """A tuple of two, of two, of two, ...: a few bytes that unfold to 2**times."""
    return b")" + b"".join(b"q\x00h\x00\x86" for _ in range(times))


HUGE = 2**40
HOSTILE = {
    "attributes of a tensor": (tensor(FOUR, (4,), (1,)) + b"}b", "attributes are given"),
    "attributes of a function": (named("torch", "Size") + b"}b", "attributes are given"),
    "a call of data": (b"])R", "it calls a list"),
    "a call of a storage type": (named("torch", "FloatStorage") + b")R", "it calls"),
    "wrong arguments": (call(named("torch._utils", "_rebuild_tensor_v2")), "damaged"),
    "a tensor of text": (tensor(text("0"), (4,), (1,)), "instead of a storage"),
    "text for a shape": (
        call(named("torch._utils", "_rebuild_tensor"), FOUR, number(0), text("4"), text("1")),
        "a tensor's shape",
    ),
    "a negative offset": (tensor(FOUR, (4,), (1,), -1), "a tensor's offset"),
    "a negative stride": (tensor(FOUR, (4,), (-1,), 3), "a tensor's strides"),
    "an offset behind the end": (tensor(FOUR, (1,), (1,), 4), "beyond its storage"),
    "a shape behind the end": (tensor(FOUR, (5,), (1,)), "beyond its storage"),
    "a stride behind the end": (tensor(FOUR, (2,), (4,)), "beyond its storage"),
    "a huge shape": (tensor(FOUR, (HUGE, HUGE), (1, 1)), "beyond its storage"),
    "a huge expansion": (tensor(FOUR, (2**20, 2**20), (0, 0)), "tensors claim"),
    "a huge overlap": (tensor(FOUR, (2, 2, 2**30), (1, 1, 0)), "tensors claim"),
    "a number without end": (tensor(FOUR, (2**400,), (0,)), "a tensor's shape"),
    "too many axes": (tensor(FOUR, (1,) * 33, (1,) * 33), "a tensor's shape"),
    "axes without strides": (tensor(FOUR, (2, 2), (1,)), "shape .* strides"),
    "a huge storage": (tensor(storage("0", "FloatStorage", HUGE), (1,), (1,)), "holds 16 bytes"),
    "another type of storage": (
        items(tensor(FOUR, (4,), (1,)), tensor(storage("0", "IntStorage", 4), (4,), (1,))),
        "in two ways",
    ),
    "a missing storage": (tensor(storage("1", "FloatStorage", 4), (4,), (1,)), "'1' is missing"),
    "a storage elsewhere": (storage("../byteorder", "ByteStorage", 6), "is missing"),
    "a reference to data": (b"}Q", "no storage"),
    "deep tuples": (b")" + b"\x85" * 300_000, "no state dict"),
    "deep tuples as a key": (b"})" + b"\x85" * 300_000 + b"Ns", "a tuple as a key"),
    "deep dictionaries": ((b"}" + text("a")) * 100_000 + b"N" + b"s" * 100_000, "choose one"),
    "a bomb": (doubled(60), "no state dict"),
    "a bomb as a key": (b"}" + doubled(60) + b"Ns", "a tuple as a key"),
    "a bomb as a name": (doubled(60) + text("a") + b"\x93", "without a name"),
    "a bomb as a reference": (doubled(60) + b"Q", "no storage"),
    "a bomb as a storage's key": (
        items(text("storage"), named("torch", "FloatStorage"), doubled(60), text("cpu"), b"K\x04")
        + b"Q",
        "no key",
    ),
    "a memo far away": (b"]r\xff\xff\xff\xff", "no state dict"),
    "an unknown memo": (b"h\x07", "damaged"),
    "an empty stack": (b"0" * 3 + b"R", "POP|damaged"),
    "no mark": (b"t", "damaged"),
    "keys that collide": (b"}" + number(5 * (2**61 - 1)) + b"Ns", "as a key"),
    "too many instructions": (b"]" * 1_100_000, "steps"),
    "text that claims more": (b"X\xff\xff\xff\xff", "unicodestring4"),
    "bytes that claim more": (b"\x8e" + b"\xff" * 7 + b"\x0f", "bytes8"),
    "an unknown instruction": (b"\xff", "unknown"),
}  # fmt: skip


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_end_in_a_clear_error(name, tmp_path):
    body, message = HOSTILE[name]
    refused(values(body), tmp_path, message)


def test_work_hidden_in_few_calls_is_counted(tmp_path):
    pairs = b"](" + items(text("a"), b"N") + b"q\x00" + b"h\x00" * 20_000 + b"eq\x01"
    once = named("collections", "OrderedDict") + b"h\x01\x85R"
    refused(values(items(pairs, once * 2000)), tmp_path, "steps")


def test_tensors_that_share_a_storage_too_often_are_refused(tmp_path):
    stored = storage("0", "FloatStorage", 2**18)
    state = {str(k): tensor(stored, (2**18,), (1,)) for k in range(2000)}
    refused(zipped(mapping(state), {"0": bytes(2**20)}), tmp_path, "tensors claim 2097152000 bytes")


def test_archives_that_lie_are_refused(tmp_path, state):
    body, held = (
        mapping(described(state)),
        {str(k): v.tobytes() for k, v in enumerate(state.values())},
    )
    refused(zipped(body, held, zipfile.ZIP_DEFLATED), tmp_path, "compressed")
    refused(zipped(body, {**held, "0": held["0"][:-4]}), tmp_path, "storage '0' holds 12 bytes")
    refused(zipped(body, {k: v for k, v in held.items() if k != "2"}), tmp_path, "'2' is missing")
    honest = zipped(body, held)
    refused(honest.replace(b"little", b"bigger"), tmp_path, "damaged|byte order")
    directory = honest.rfind(b"PK\x01\x02")  # the last member's entry
    claims = bytearray(honest)
    claims[directory + 20 : directory + 28] = b"\xf0\xff\xff\x7f" * 2
    refused(bytes(claims), tmp_path, "claim more bytes than the file has")
    claims[directory + 24 : directory + 28] = b"\x02\0\0\0"
    refused(bytes(claims), tmp_path, "two sizes")
    damaged = bytearray(honest)
    damaged[honest.find(held["1"]) + 40] ^= 1
    refused(bytes(damaged), tmp_path, "CRC")
    refused(zipped(b"]", {}), tmp_path, "holds a list")


def test_old_files_that_lie_are_refused(tmp_path, state):
    body = mapping(described(state, True))
    held = {str(k): (v.size, v.tobytes()) for k, v in enumerate(state.values())}
    data = held["0"][1]
    refused(legacy(body, {**held, "0": (HUGE, data)}), tmp_path, "'0' holds 1099511627776 elements")
    refused(legacy(body, {**held, "9": (1, bytes(4))}), tmp_path, "'9' belongs to no tensor")
    refused(legacy(body, {"1": held["1"]}), tmp_path, "storage '0' is missing")
    huge = mapping({"a": tensor(storage("0", "FloatStorage", HUGE, True), (1,), (1,))})
    refused(legacy(huge, {"0": (HUGE, data)}), tmp_path, "ends within storage '0'")
    view = items(text("1"), number(0), number(4))
    stored = items(
        text("storage"), named("torch", "FloatStorage"), text("0"), text("cpu"), number(4), view
    )
    refused(legacy(mapping({"a": stored + b"Q"}), {}), tmp_path, "view of another one")
    refused(pickled(number(7)) * 3, tmp_path, "torch.save")
    refused(b"", tmp_path, "empty")


@pytest.mark.parametrize("write", [zip_file, legacy_file])
def test_cut_and_garbled_files_never_crash(write, state, tmp_path):
    honest, rng = write(state), np.random.default_rng(1)
    path = tmp_path / "broken.pth"
    for cut in {*range(0, len(honest), 97), *range(len(honest) - 30, len(honest))}:
        path.write_bytes(honest[:cut])
        with pytest.raises(ValueError, match=r"broken\.pth"):
            read(path)
    for _ in range(400):
        garbled = bytearray(honest)
        for place in rng.integers(0, len(honest), rng.integers(1, 6)):
            garbled[place] = rng.integers(256)
        path.write_bytes(garbled)
        try:
            read(path)
        except ValueError as error:
            assert "broken.pth" in str(error)


def test_other_formats_are_refused_when_damaged(state, tmp_path):
    path = tmp_path / "weights.safetensors"
    save_file(state, path)
    whole = path.read_bytes()
    for data in (whole[:-1], whole[:50], b"", b"\xff" * 16, b"\xff\xff\0\0\0\0\0\0" + whole[8:]):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=r"weights\.safetensors"):
            read(path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty"):
        read(tmp_path / "empty")
    with pytest.raises(ValueError, match=r"expected \.pth"):
        path.rename(tmp_path / "weights.bin")
        read(tmp_path / "weights.bin")


def test_an_orbax_directory_that_claims_too_much_is_refused(tmp_path):
    as_orbax(tmp_path / "zeros", {"a": np.zeros((2**25,), np.float32)})
    with pytest.raises(ValueError, match=r"zeros.*claim 134217728 bytes"):
        read(tmp_path / "zeros")


def test_keys_with_and_without_the_prefix_are_refused(state, tmp_path):
    path = tmp_path / "both.pth"
    first = next(iter(state))
    path.write_bytes(zip_file({**state, f"module.{first}": state[first]}))
    with pytest.raises(ValueError, match=r"with and without 'module\.'"):
        read(path)


SMALL = {
    "DnCNN": {"in_nc": 3, "out_nc": 3, "nc": 8, "nb": 4},
    "SwinIR": {
        "img_size": 16, "embed_dim": 12, "depths": (2, 2), "num_heads": (2, 2), "window_size": 4,
    },
    "MPRNet": {"n_feat": 8, "scale_unetfeats": 4, "scale_orsnetfeats": 4, "num_cab": 2},
    "PReNet": {},
    "LapSRN": {"num_channels": 1},
}  # fmt: skip


@pytest.mark.parametrize("name", SMALL)
def test_torch_to_ours_to_torch_is_the_identity(name):
    state = formula_state(name, **SMALL[name])
    found = cem.to_torch(cem.from_torch(name, state))
    missing = found.keys() - state.keys()  # mean shifts, which a state dict may lack
    assert all(key.split(".")[0] in ("sub_mean", "add_mean") for key in missing)
    assert_same({key: found[key] for key in state}, state)


def test_only_networks_of_the_zoo_have_a_torch_state_dict():
    with pytest.raises(ValueError, match=r"network=double.*cem\.load"):
        cem.to_torch(cem.wrap(lambda x: 2 * x, name="double"))


@pytest.mark.parametrize("part", [None, "24"])
def test_convert_writes_both_formats_and_keeps_what_is_there(part, tmp_path, state):
    source, out = tmp_path / "official.pth", tmp_path / "out"
    wrap = mapping if part is None else lambda entries: mapping({part: mapping(entries)})
    source.write_bytes(legacy_file(state, wrap))
    command = [sys.executable, "-m", "cem_jax.cli", "convert", str(source), "--model", "DnCNN"]
    command += ["--out", str(out), *(["--part", part] if part else [])]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    tensors, directory = out / "DnCNN.safetensors", out / "DnCNN.orbax"
    assert sorted(out.iterdir()) == [directory, tensors]
    assert_same(read(tensors), state)
    assert_same(read(directory), state)
    written = tensors.stat().st_mtime_ns
    assert cem.models.export("DnCNN", directory, out) == (tensors, directory)
    assert tensors.stat().st_mtime_ns == written
    other = {key: value + 1 for key, value in state.items()}
    source.write_bytes(zip_file(other))
    done = subprocess.run(
        command[:-2] if part else command, capture_output=True, text=True, timeout=300
    )
    assert done.returncode == 2
    assert "DnCNN.safetensors is there with another content" in done.stderr
    tensors.unlink()
    with pytest.raises(ValueError, match=r"DnCNN\.orbax is there with another content"):
        cem.models.export("DnCNN", source, out)
    assert not tensors.exists()


def test_convert_refuses_what_does_not_fit(tmp_path, state):
    source = tmp_path / "official.pth"
    source.write_bytes(zip_file(state))
    with pytest.raises(ValueError, match=r"does not fit IRCNN.*missing"):
        cem.models.export("IRCNN", source, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.long
def test_every_network_gives_back_the_references_state_dict(shared):
    for path in sorted((shared / "parity" / "manifest").glob("*.json")):
        facts = json.loads(path.read_text())
        state = formula_state(path.stem)
        found = cem.to_torch(cem.from_torch(path.stem, state))
        shapes = {key: (tuple(shape), dtype) for key, shape, dtype, *_ in facts["entries"]}
        assert {k: (v.shape, v.dtype.name) for k, v in found.items()} == shapes, path.stem
        assert all(np.array_equal(found[key], value) for key, value in state.items()), path.stem


OFFICIAL = {
    "RFDN_AIM.pth": "RFDN", "IMDN_x4.pth": "IMDN", "PANx4_DF2K.pth": "PAN",
    "LapSRN_x4_Y.pth": "LapSRN", "dncnn_color_blind.pth": "DnCNN", "ffdnet_color.pth": "FFDNet",
    "PReNet6_Rain100H.pth": "PReNet", "PReNet6_Rain100L.pth": "PReNet",
}  # fmt: skip


@pytest.mark.parametrize("file", OFFICIAL)
def test_official_files_come_back_from_torch_to_torch(file, shared):
    path = shared / "weights" / file
    state = read(path)
    assert_same(cem.to_torch(cem.load(OFFICIAL[file], path)), state)


def _psnr(restored: np.ndarray, true: np.ndarray) -> float:
    return float(-10 * np.log10(np.mean(np.square(restored.astype(np.float64) - true))))


def _luma(image: np.ndarray) -> np.ndarray:
    """Y of ITU-R BT.601 in [0, 1]."""
    return (image @ np.array([65.481, 128.553, 24.966]) + 16) / 255


@pytest.mark.long
@pytest.mark.parametrize("file", [file for file, name in OFFICIAL.items() if name != "PReNet"])
def test_official_weights_restore_as_well_as_recorded(file, shared):
    """SR: Pillow's bicubic reduction, 4 pixels of border left out; DN: sigma 50, not clipped."""
    weights = json.loads((shared / "weights" / "weights.json").read_text())
    (sanity,) = (entry["sanity"] for entry in weights if entry["name"] == file)
    network = cem.load(OFFICIAL[file], shared / "weights" / file)
    for demo, recorded in sanity.items():
        picture = Image.open(shared / "reference" / "images" / f"{demo}.png").convert("RGB")
        clean = np.asarray(picture) / np.float32(255)
        inner = slice(4, -4) if network.scale == 4 else slice(None)
        if network.scale == 4:
            small = picture.resize(
                (picture.width // 4, picture.height // 4), Image.Resampling.BICUBIC
            )
            x = np.asarray(small) / np.float32(255)
        else:
            x = clean + np.random.default_rng(0).standard_normal(clean.shape) * 50 / 255
        if "net_RGB" not in recorded and "net_Y" in recorded:
            x, clean = _luma(x)[..., None], _luma(clean)[..., None]
        restored = np.clip(np.asarray(network(x[None].astype(np.float32)))[0], 0, 1)
        restored, true = restored[inner, inner], clean[inner, inner]
        if "net_RGB" in recorded:
            assert abs(_psnr(_luma(restored), _luma(true)) - recorded["net_Y"]) < 0.02
        want = recorded.get("net_RGB", recorded.get("net", recorded.get("net_Y")))
        assert abs(_psnr(restored, true) - want) < 0.02
