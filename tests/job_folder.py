"""A small job as users write one: its file, photographs, and the weights of a small denoiser."""

from pathlib import Path

from PIL import Image
from small_denoiser import write_small_denoiser

import cem_jax as cem

FILE = """
plan = {kind = "coarse-to-fine", coarse = 2, fine = 3}
seed = 5

[[network]]
name = "DnCNN"
weights = "small.safetensors"
label = "small"

[[scene]]
task = "DN"
image = "photos/*.png"
sigma = 25
rois = [[16, 24, 16, 16], [32, 8, 16, 16]]
"""


def write_job(folder: Path) -> Path:
    """Photographs, the weights of a small denoiser, a pool and `job.toml`, in an empty folder."""
    (folder / "photos").mkdir()
    for name in ("cabin", "pagoda"):
        Image.fromarray(cem.example_image(name)[:64, :72]).save(folder / f"photos/{name}.png")
    write_small_denoiser(folder / "small.safetensors")
    cem.PatchPool(cem.PatchPool.default().patches[:9]).save(folder / "pool.npz")
    (folder / "job.toml").write_text(FILE)
    return folder
