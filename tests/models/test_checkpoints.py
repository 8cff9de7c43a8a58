"""Checkpoints: every format and wrapping is read and written."""

import json
import subprocess
import sys

import numpy as np
import pytest
import zoo
from safetensors.numpy import save_file
from torch_writer import (
    call,
    described,
    legacy_file,
    mapping,
    named,
    number,
    storage,
    tensor,
    text,
    zip_file,
    zipped,
)

import cem_jax as cem
from cem_jax.models import registry

read = cem.models.read_state_dict


def assert_same(found, wanted):
    assert found.keys() == wanted.keys()
    for key, value in wanted.items():
        np.testing.assert_array_equal(found[key], value)
        assert found[key].dtype == value.dtype


@pytest.fixture(scope="module")
def state() -> dict[str, np.ndarray]:
    return zoo.state_dict("DnCNN", {"in_nc": 3, "out_nc": 3, "nc": 4, "nb": 3})


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
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "netG.", "module.model."])
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
    assert cem.load("DnCNN", path, part="24").name == "DnCNN levels"
    with pytest.raises(ValueError, match=r"part=: '0', '24'"):
        read(path)
    with pytest.raises(ValueError, match=r"part='25'.*'0', '24'"):
        read(path, part="25")


def test_one_of_several_networks_is_chosen_by_what_stands_before_its_keys(state, tmp_path):
    path = tmp_path / "gan.safetensors"
    other = {f"discriminator.{key}": value + 1 for key, value in state.items()}
    save_file(other | {f"generator.{key}": value for key, value in state.items()}, path)
    assert_same(read(path, part="generator"), state)
    with pytest.raises(ValueError, match=r"part='net'.*'discriminator', 'generator'"):
        read(path, part="net")


def test_parts_that_hold_one_another_come_to_an_end(state, tmp_path):
    path = tmp_path / "deep.pth"

    def deep(entries):
        found = mapping(entries)
        for _ in range(20):
            found = mapping({"state_dict": found})
        return found

    path.write_bytes(zip_file(state, deep))
    with pytest.raises(ValueError, match="more than 8 times"):
        read(path)


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
        path.rename(tmp_path / "weights.h5")
        read(tmp_path / "weights.h5")


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


PREFIXES = ("module.", "_orig_mod.", "netG.", "model.", "generator.", "net_g.module.",
            "module._orig_mod.model.", "model.module.", "params_ema.", "ema_model.module.", "Net.",
            "net_G.", "G_ema.", "model.generator.", "student.", "online_model.own.")  # fmt: skip


@pytest.mark.parametrize("prefix", PREFIXES)
def test_what_stands_before_every_key_is_taken_away(prefix, state):
    image = np.full((1, 5, 7, 3), 0.5, np.float32)
    found = cem.from_torch("DnCNN", {prefix + key: value for key, value in state.items()})
    np.testing.assert_array_equal(found(image), cem.from_torch("DnCNN", state)(image))


def test_an_odd_tensor_beside_the_weights_is_named_alone(state):
    for prefix in ("", "module."):
        given = {**{prefix + key: value for key, value in state.items()}, "step": np.array(3)}
        with pytest.raises(ValueError) as caught:
            cem.from_torch("DnCNN", given)
        assert str(caught.value) == (
            "state_dict does not fit DnCNN: unexpected: step; leave out what is no weight"
        )


def test_odd_entries_beside_the_tensors_are_named_alone(state, tmp_path):
    path = tmp_path / "flat.pth"
    body = {**described(state), "epoch": number(3)}
    path.write_bytes(
        zipped(mapping(body), {str(k): v.tobytes() for k, v in enumerate(state.values())})
    )
    with pytest.raises(ValueError, match=r"beside its tensors it holds epoch; save the tensors"):
        read(path)


HARMLESS = {
    "numpy.core.multiarray.scalar": call(named("numpy.core.multiarray", "scalar"), text("f8")),
    "argparse.Namespace": named("argparse", "Namespace") + b")\x81",
    "collections.Counter": call(named("collections", "Counter")),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_what_is_no_tensor_is_told_how_to_be_left_out(name, state, tmp_path):
    path = tmp_path / "more.pth"
    body = {"state_dict": mapping(described(state)), "args": HARMLESS[name]}
    path.write_bytes(
        zipped(mapping(body), {str(k): v.tobytes() for k, v in enumerate(state.values())})
    )
    message = rf"asks for '{name}'.*save the state dict alone.*torch\.save\(torch\.load"
    with pytest.raises(ValueError, match=message) as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_types_that_hold_no_plain_numbers_are_refused(state, tmp_path):
    import ml_dtypes

    small = np.zeros((2, 2), np.float32)
    for kind in (ml_dtypes.float8_e4m3fn, ml_dtypes.float8_e5m2):
        save_file({"a.weight": small.astype(kind)}, tmp_path / "small.safetensors")
        with pytest.raises(ValueError, match=r"small\.safetensors.*(float8|F8|unknown type)"):
            read(tmp_path / "small.safetensors")
        key = next(iter(state))
        with pytest.raises(ValueError, match=rf"state_dict: {key} is of type float8"):
            cem.from_torch("DnCNN", {**state, key: state[key].astype(kind)})
    with pytest.raises(ValueError, match="complex64"):
        cem.from_torch("DnCNN", {**state, "a": small.astype(np.complex64)})


def test_keys_are_escaped_and_long_lists_are_cut(state):
    odd = {f"\x1b[31m{n}\n": np.zeros(1) for n in range(50)}
    with pytest.raises(ValueError) as caught:
        cem.from_torch("DnCNN", {**state, **odd})
    told = str(caught.value)
    assert told.isprintable() and r"\x1b[31m0\n" in told
    assert "(50 in all)" in told and len(told) < 400
    missing = dict(list(state.items())[:1])
    with pytest.raises(ValueError, match=r"missing: .*\(496 in all\)") as caught:
        cem.from_torch("SwinIR", {**missing})
    assert len(str(caught.value)) < 900


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
        entry = registry.find(path.stem)
        state = zoo.state_dict(path.stem)
        if hasattr(entry.architecture, "tables"):
            state |= entry.architecture.tables(**entry.config)
        if hasattr(entry.architecture, "aliases"):
            aliases = entry.architecture.aliases(**entry.config)
            state |= {key: state[original] for key, original in aliases.items()}
        found = cem.to_torch(cem.from_torch(path.stem, state))
        shapes = {key: (tuple(shape), dtype) for key, shape, dtype, *_ in facts["entries"]}
        assert {k: (v.shape, v.dtype.name) for k, v in found.items()} == shapes, path.stem
        assert all(np.array_equal(found[key], value) for key, value in state.items()), path.stem
