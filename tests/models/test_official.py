"""Official files: what they compute and restore.

Figures and outputs are recorded beside the weights; tests are skipped where these are absent.
"""

import functools
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zoo
from PIL import Image
from quality import cropped, luma, psnr, reduced, unit

import cem_jax as cem

FILES = {
    "ADNet": "ADNet_color_c50.pth", "BSRN": "net_g_BSRN_x4.pth", "BSRN_x2": "net_g_BSRN_x2.pth",
    "BSRN_x3": "net_g_BSRN_x3.pth", "CARN-M": "carn_m.pth", "CARN-M_x2": "carn_m.pth",
    "CARN-M_x3": "carn_m.pth", "CRAFT": "team34_craft.pth", "DCTLSA": "DCTLSA_X4.pt",
    "DCTLSA_x2": "DCTLSA_X2.pt", "DCTLSA_x3": "DCTLSA_X3.pt", "DnCNN3": "DnCNN3.pth",
    "HiT-SRF": "team54_HITSR.pth", "RLFN": "team00_rlfn.pth",
    "SAFMN_NTIRE23": "team15_SAFMN.pth", "SPAN": "team38_span_ch28_slim.pth",
}  # fmt: skip
PAPERS = {
    "RFDN_AIM.pth": "RFDN", "IMDN_x4.pth": "IMDN", "PANx4_DF2K.pth": "PAN",
    "LapSRN_x4_Y.pth": "LapSRN", "dncnn_color_blind.pth": "DnCNN", "ffdnet_color.pth": "FFDNet",
    "PReNet6_Rain100H.pth": "PReNet", "PReNet6_Rain100L.pth": "PReNet",
}  # fmt: skip
"""Files of networks that the paper's code has too, and their names."""
SR = [name for name in FILES if name not in ("ADNet", "DnCNN3")]
DEMOS = ("demo_1", "demo_2", "demo_3")


@functools.lru_cache(maxsize=2)
def network(name: str, shared: Path) -> cem.Network:
    return cem.load(name, shared / "weights" / FILES[name])


@pytest.mark.parametrize("name", FILES)
def test_the_output_of_the_official_file_is_the_recorded_one(name, shared):
    recorded = np.load(shared / "parity" / "new" / "official" / f"{name}.npz")
    x = zoo.picture(name, *recorded["input_hw"], salt=int(recorded["image_salt"]))
    got = np.asarray(network(name, shared)(x)[0])
    assert got.shape == tuple(recorded["shape"])
    want = recorded["values"].astype(np.float64)
    error = np.linalg.norm(got.reshape(-1)[recorded["idx"]] - want) / np.linalg.norm(want)
    assert error < 1e-5


@pytest.mark.parametrize(
    ("name", "file"), [*FILES.items(), *((name, file) for file, name in PAPERS.items())]
)
def test_the_official_file_comes_back_from_torch_to_torch(name, file, shared):
    path = shared / "weights" / file
    state, found = cem.models.read_state_dict(path), cem.to_torch(cem.load(name, path))
    assert found.keys() == state.keys()
    for key, value in state.items():
        np.testing.assert_array_equal(found[key], value)
        assert found[key].dtype == value.dtype


@pytest.mark.parametrize("name", ["CRAFT", "DCTLSA", "DCTLSA_x2", "DCTLSA_x3"])
def test_the_path_alone_is_enough(name, shared):
    """The same network, of which the tests here say what it computes and restores."""
    alone, named = cem.load(shared / "weights" / FILES[name]), network(name, shared)
    assert alone.scale == named.scale
    x = zoo.picture(name, 48, 48, salt=0)
    np.testing.assert_array_equal(alone(x), named(x))


@pytest.mark.parametrize("name", ["BSRN", "DCTLSA"])
def test_the_factor_is_the_files_whatever_the_name_says(name, shared):
    assert cem.load(name, shared / "weights" / FILES[f"{name}_x3"]).scale == 3


@pytest.mark.parametrize(("name", "other"), [("SAFMN", "SAFMN_NTIRE23"), ("RLFN", "BSRN")])
def test_the_file_of_another_network_is_refused(name, other, shared):
    with pytest.raises(ValueError, match=rf"does not fit {name}: missing.*unexpected"):
        cem.load(name, shared / "weights" / FILES[other])


def recorded_figures(name: str, shared: Path) -> dict[str, Any]:
    """The figures of a network's file, by the factor where it has several."""
    weights = json.loads((shared / "weights" / "weights.json").read_text())
    (found,) = (entry for entry in weights if entry["name"] == FILES[name])
    factor = name.partition("_")[2]
    return found.get(f"sanity_{factor}", found["sanity"])


def demo(name: str, shared: Path) -> Image.Image:
    with Image.open(shared / "reference" / "images" / f"{name}.png") as picture:
        return picture.convert("RGB")


def restored(network: cem.Network, x: np.ndarray) -> np.ndarray:
    return np.clip(np.asarray(network(x[None].astype(np.float32)))[0], 0, 1)


@pytest.mark.long
@pytest.mark.parametrize("name", SR)
def test_super_resolution_is_as_good_as_recorded(name, shared):
    """Pillow's bicubic reduction to 8 bits; a border of as many pixels as the factor left out."""
    found, factor = network(name, shared), network(name, shared).scale
    inner = slice(factor, -factor)
    for image, figures in recorded_figures(name, shared).items():
        picture = cropped(demo(image, shared), factor)
        got = restored(found, unit(reduced(picture, factor)))[inner, inner]
        true = unit(picture)[inner, inner]
        assert abs(psnr(got, true) - figures["net_RGB"]) < 0.02
        assert abs(psnr(luma(got), luma(true)) - figures["net_Y"]) < 0.02


@pytest.mark.long
def test_colour_denoising_is_as_good_as_recorded(shared):
    """Noise of sigma 50, neither clipped nor rounded; the network is given blue, green, red."""
    found = cem.load("ADNet", shared / "weights" / FILES["ADNet"], order="bgr")
    for image, figures in recorded_figures("ADNet", shared).items():
        clean = unit(demo(image, shared))
        noisy = clean + np.random.default_rng(0).standard_normal(clean.shape) * 50 / 255
        got = restored(found, noisy)
        assert abs(psnr(got, clean) - figures["net"]) < 0.02


def grey(picture: Image.Image) -> np.ndarray:
    """uint8, as MATLAB weighs the colours."""
    return np.round(np.asarray(picture) @ np.array([0.2989, 0.587, 0.114])).astype(np.uint8)


def compressed(image: np.ndarray, quality: int) -> np.ndarray:
    """An image behind Pillow's JPEG."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality)
    return np.asarray(Image.open(file))


@pytest.mark.long
@pytest.mark.parametrize("image", DEMOS)
def test_one_grey_network_restores_as_recorded(image, shared):
    """Noise and JPEG on the grey image; luma of an image reduced and enlarged by Pillow."""
    found, figures = network("DnCNN3", shared), recorded_figures("DnCNN3", shared)[image]
    picture = demo(image, shared)
    clean = grey(picture)

    def of(degraded: np.ndarray, true: np.ndarray, border: int = 0) -> float:
        inner = slice(border, -border or None)
        return psnr(restored(found, degraded[..., None])[inner, inner, 0], true[inner, inner])

    for sigma in (25, 50):
        noise = np.random.default_rng(0).standard_normal(clean.shape) * sigma / 255
        assert abs(of(clean / 255 + noise, clean / 255) - figures[f"net{sigma}"]) < 0.02
    for quality in (10, 20):
        coded = compressed(clean, quality) / 255
        assert abs(of(coded, clean / 255) - figures[f"net_jpeg{quality}"]) < 0.02
    for factor in (2, 3, 4):
        whole = cropped(picture, factor)
        large = reduced(whole, factor).resize(whole.size, Image.Resampling.BICUBIC)
        got = of(luma(unit(large)), luma(unit(whole)), factor)
        assert abs(got - figures[f"net_Y_x{factor}"]) < 0.02


@pytest.mark.parametrize("file", [file for file, name in PAPERS.items() if name != "PReNet"])
def test_the_papers_networks_restore_as_well_as_recorded(file, shared):
    """SR: Pillow's bicubic reduction, 4 pixels of border left out; DN: sigma 50, not clipped."""
    weights = json.loads((shared / "weights" / "weights.json").read_text())
    (sanity,) = (entry["sanity"] for entry in weights if entry["name"] == file)
    network = cem.load(PAPERS[file], shared / "weights" / file)
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
            x, clean = luma(x)[..., None], luma(clean)[..., None]
        restored = np.clip(np.asarray(network(x[None].astype(np.float32)))[0], 0, 1)
        restored, true = restored[inner, inner], clean[inner, inner]
        if "net_RGB" in recorded:
            assert abs(psnr(luma(restored), luma(true)) - recorded["net_Y"]) < 0.02
        want = recorded.get("net_RGB", recorded.get("net", recorded.get("net_Y")))
        assert abs(psnr(restored, true) - want) < 0.02


DERAINED = {
    "PReNet6_Rain100H.pth": (22.696, 8.326, 20.954),
    "PReNet6_Rain100L.pth": (21.168, 18.544, 19.763),
}
"""PSNR of the reference code on the three demo images under `Scene.deraining(seed=0)`, in dB.

The rain behind the sanity values that came with these weights is not known, so they cannot be met.
"""


@pytest.mark.parametrize("file", DERAINED)
def test_derainers_restore_as_the_reference_does(file, shared):
    network = cem.load("PReNet", shared / "weights" / file)
    for demo, want in enumerate(DERAINED[file], 1):
        with Image.open(shared / "reference" / "images" / f"demo_{demo}.png") as picture:
            clean = np.asarray(picture.convert("RGB"))
        restored = network(cem.Scene.deraining(clean, seed=0).degraded[None])[0]
        assert abs(psnr(np.clip(restored, 0, 1), clean / np.float32(255)) - want) < 0.02
