"""Checkpoints of training codes: their endings, averages, several networks, quantised weights."""

import zipfile

import numpy as np
import pytest
import zoo
from safetensors.numpy import save_file
from test_checkpoints import assert_same, read
from torch_writer import mapping, zip_file

import cem_jax as cem


@pytest.fixture(scope="module")
def state() -> dict[str, np.ndarray]:
    return zoo.state_dict("DnCNN", {"in_nc": 3, "out_nc": 3, "nc": 4, "nb": 3})


@pytest.mark.parametrize("suffix", [".ckpt", ".pth.tar", ".bin"])
def test_every_ending_that_training_codes_give_is_read(suffix, state, tmp_path):
    path = tmp_path / f"last{suffix}"
    path.write_bytes(zip_file(state, lambda entries: mapping({"state_dict": mapping(entries)})))
    assert_same(read(path), state)
    assert cem.load(path).name.startswith("DnCNN")


@pytest.mark.parametrize(
    ("plain", "average"),
    [("state_dict", "ema_state_dict"), ("model", "ema"), ("model", "model_ema"), ("model", "swa")],
)
def test_weights_and_their_averages_are_never_taken_for_each_other(plain, average, state, tmp_path):
    path = tmp_path / "both.pth"

    def both(entries):
        return mapping({plain: mapping(entries), average: mapping(entries)})

    path.write_bytes(zip_file(state, both))
    with pytest.raises(ValueError, match=f"choose one by part=: '{plain}', '{average}'"):
        read(path)
    assert_same(read(path, part=average), state)


def test_the_count_of_torchs_averaged_model_is_no_weight(state):
    averaged = {"n_averaged": np.int64(5)} | {f"module.{k}": v for k, v in state.items()}
    assert cem.models.choose(averaged) == cem.models.choose(state)
    cem.from_torch("DnCNN", averaged)


def test_a_part_that_was_compiled_is_read():
    state = zoo.state_dict("DRUNet", zoo.small("DRUNet"))
    compiled = {key.replace("m_body.", "m_body._orig_mod."): v for key, v in state.items()}
    assert compiled.keys() != state.keys()
    assert cem.models.choose(compiled) == "DRUNet"
    cem.from_torch("DRUNet", {f"_orig_mod.{key}": value for key, value in compiled.items()})


@pytest.mark.parametrize(
    ("ending", "words"),
    [(".onnx", "cem.wrap_onnx"), (".npz", "cem.from_torch"), (".py", "--module")],
)
def test_files_of_other_kinds_are_sent_to_what_takes_them(ending, words, tmp_path):
    path = tmp_path / f"network{ending}"
    path.write_bytes(b"something")
    with pytest.raises(ValueError, match=f"cannot be read: expected .pth.*; .*{words}"):
        cem.load(path)


def test_several_networks_in_one_file_are_told_with_the_way_out(state, tmp_path):
    both = {f"net_g.{key}": value for key, value in state.items()}
    both |= {f"net_d.features.{i}.weight": np.zeros((4, 4, 3, 3), np.float32) for i in range(3)}
    save_file(both, tmp_path / "gan.safetensors")
    with pytest.raises(ValueError, match="it holds several networks; choose one by part=: 'net_g'"):
        cem.load(tmp_path / "gan.safetensors")
    cem.load(tmp_path / "gan.safetensors", part="net_g")


def test_quantised_weights_are_refused(state):
    (key, *_) = [key for key in state if key.endswith("weight")]
    with pytest.raises(ValueError, match=f"{key} is of type int8, as quantised weights are"):
        cem.from_torch("DnCNN", state | {key: state[key].astype(np.int8)})


def test_programs_and_lists_are_told_with_the_way_out(tmp_path):
    with zipfile.ZipFile(tmp_path / "program.pt", "w") as archive:
        archive.writestr("program/constants.pkl", b"\x80\x02).")
        archive.writestr("program/data.pkl", b"\x80\x02).")
    with pytest.raises(ValueError, match=r"a TorchScript program; .*wrap_torch\(torch\.jit\.load"):
        read(tmp_path / "program.pt")
