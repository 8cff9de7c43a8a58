"""Checkpoints of strangers: no file runs or exhausts anything, and all end in a clear error."""

import time
import tracemalloc
import zipfile

import numpy as np
import pytest
import zoo
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

read = cem.models.read_state_dict


@pytest.fixture(scope="module")
def state() -> dict[str, np.ndarray]:
    return zoo.state_dict("DnCNN", {"in_nc": 3, "out_nc": 3, "nc": 4, "nb": 3})


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
