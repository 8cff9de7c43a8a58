"""What a reader of the pages has: a folder with all that the commands take as given."""

import hashlib
import importlib.util
import json
import shutil
import sys
from pathlib import Path

import conftest
import numpy as np
import yaml
from pages import ROOT
from PIL import Image
from torch_writer import zip_file

import cem_jax as cem


def bring(folder: Path) -> None:
    """A folder with what the pages take as given, the repository's own folders among it."""
    for name in ("benchmarks", "docs", "tests"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    photograph = Image.fromarray(cem.example_image("pagoda"))
    weights = zip_file(cem.to_torch(cem.load("DnCNN-compact")))
    own, source = "CEM_Demo/ModelZoo/models", "SOURCE/package"
    for name in (
        ".venv/bin", "PHOTOS/val", "checkpoints", "first", "images", "patches", "photos",
        "results/first", "results/second", "second", own, source,
    ):  # fmt: skip
        (folder / name).mkdir(parents=True)
    for name in (".", "checkpoints", own):
        (folder / name / "dncnn_color_blind.pth").write_bytes(weights)
    for name in ("photo.png", "photos/one.png", "images/demo_2.png"):
        photograph.save(folder / name)
    photograph.point(lambda level: level // 2).save(folder / "degraded.png")
    (folder / "simulator.py").write_text("def degrade(image):\n    return image / 2\n")
    photograph.crop((0, 0, 64, 64)).save(folder / "PHOTOS/val/one.png")
    photograph.save(folder / source / "one.png")
    digest = hashlib.sha256((folder / source / "one.png").read_bytes()).hexdigest()
    record = {"split": "train", "source": "deb:package", "path": "one.png", "sha256": digest}
    (folder / "MANIFEST").write_text(json.dumps([record | {"shrink": 2}]))
    for number, patch in enumerate(cem.PatchPool.default().patches[:50]):
        Image.fromarray(patch).save(folder / f"patches/{number:04}.png")
    config = {
        "task": "DN", "sr": 1, "Modellist": ["DnCNN"], "batch_size_dict": {"DnCNN": 1300},
        "TextImg_path": "./images/", "Imagelist": ["demo_2.png"], "patch_path": "./patches",
        "prefix": "DEMO", "w": 96, "h": 152, "ROI_size": 32, "mask_block_size": 8,
        "coarse_num": 3, "fine_num": 50, "load_previous": 1, "tol": 0.01,
    }  # fmt: skip
    (folder / "demo-DN_CEM.yml").write_text(yaml.safe_dump(config))
    (folder / "job.toml").write_text("""
        plan = {kind = "fixed", n = 2}
        network = [{name = "DnCNN-compact"}]
        scene = [{task = "DN", example = "pagoda", rois = [[96, 112, 32, 32]]}]
    """)
    for name, program in (("cem-jax", "-m cem_jax.cli"), ("python", "")):
        script = folder / ".venv/bin" / name
        script.write_text(f'#!/bin/sh\nexec "{sys.executable}" {program} "$@"\n')
        script.chmod(0o755)
    small = small_map()
    for name in (
        "map.npz", "results/first/map.npz", "results/second/map.npz", "first/map.npz",
        "second/map.npz", "sr.npz", "dn.npz", "dr.npz", "second.npz",
    ):  # fmt: skip
        small.save(folder / name)


def small_map() -> cem.EffectMap:
    """A map of a cheap network, of the kind that the paper's code draws too."""
    network = cem.wrap(conftest.curved, receptive_radius=2, name="DnCNN")
    scene = cem.Scene.denoising(cem.example_image("facade")[:128, :128], name="facade")
    roi, plan = cem.ROI(48, 48, 32, 32), cem.CoarseToFine(2, 3)
    return cem.causal_effect_map(network, scene, roi, plan=plan, progress=False)


def bring_onnx(folder: Path) -> None:
    """A denoiser of one layer as an ONNX file, where onnx is installed."""
    if importlib.util.find_spec("onnx") is not None:
        import onnx
        from small_denoiser import onnx_file

        layer = np.full((3, 3, 3, 3), 0.01, np.float32), np.zeros(3, np.float32)
        onnx_file(onnx, [layer], folder / "denoiser.onnx")


def stand_in(folder: Path, names: set[str]) -> None:
    """A small map where slow commands would have left theirs."""
    for name in names:
        (folder / name).parent.mkdir(parents=True)
        shutil.copy(folder / "map.npz", folder / name)


def stamps(names: tuple[str, ...], folder: Path) -> list[int | None]:
    """When files and folders were last written; None for those that are not there."""
    paths = [folder / name for name in names]
    return [path.stat().st_mtime_ns if path.exists() else None for path in paths]
