"""Published PSNRs of official checkpoints, and what they reach here, as a table.

    python -m cem_jax.experiments.official_psnr --weights DIR --results docs/results
    python -m cem_jax.experiments.official_psnr --recorded weights.json --results docs/results
    python -m cem_jax.experiments.official_psnr --results docs/results --write PAGE

The first form measures: on the centres of the bundled photographs, 256 x 256 pixels each, or with
`--images FOLDER` on whole images, for instance Set5, where the numbers are to equal the published
ones but for the reduction: papers take MATLAB's bicubic, this script Pillow's. The second takes
what was recorded with the authors' code on the three demo images of the paper's repository, which
the tests hold this package to. Each replaces its own part of the record. The third puts both in a
page.
"""

import argparse
import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

import cem_jax as cem
from cem_jax.experiments import evaluate

RECORD = "official-psnr.json"
_SIDE = 256
_LUMA = np.array([65.481, 128.553, 24.966])
"""BT.601 as the field takes it: 16 to 235 for images in [0, 255]."""
_SIGMA = 50 / 255


@dataclasses.dataclass(frozen=True)
class Official:
    """An official checkpoint and what was published of it.

    Args:
        file: its name.
        network: under which `cem.load` knows it.
        task: "SR", "DN" or "DR".
        channel: over which PSNR is taken: "Y", "RGB" or "grey".
        data: that was published on; "" where no number of this very file is known to us.
        psnr: what was published, in dB.
        source: of it.
        arguments: what the file does not tell.
    """

    file: str
    network: str
    task: str
    channel: str
    data: str = ""
    psnr: float | None = None
    source: str = ""
    arguments: tuple[tuple[str, Any], ...] = ()


OFFICIAL = (
    Official("IMDN_x4.pth", "IMDN", "SR", "Y", "Set5", 32.21, "IMDN, ACM MM 2019"),
    Official("RFDN_AIM.pth", "RFDN", "SR", "RGB"),
    Official("PANx4_DF2K.pth", "PAN", "SR", "Y"),
    Official("net_g_BSRN_x4.pth", "BSRN", "SR", "Y", "Set5", 32.35, "BSRN, CVPRW 2022"),
    Official("net_g_BSRN_x3.pth", "BSRN_x3", "SR", "Y"),
    Official("net_g_BSRN_x2.pth", "BSRN_x2", "SR", "Y"),
    Official("carn_m.pth", "CARN-M", "SR", "Y"),
    Official("carn_m.pth", "CARN-M_x3", "SR", "Y"),
    Official("carn_m.pth", "CARN-M_x2", "SR", "Y"),
    Official(
        "team00_rlfn.pth", "RLFN", "SR", "RGB", "DIV2K and LSDIR val", 26.96,
        "NTIRE 2024 efficient SR, baseline",
    ),
    Official("team38_span_ch28_slim.pth", "SPAN", "SR", "RGB"),
    Official("team15_SAFMN.pth", "SAFMN_NTIRE23", "SR", "RGB"),
    Official("team34_craft.pth", "CRAFT", "SR", "Y", "Set5", 32.52, "CRAFT, ICCV 2023"),
    Official("team54_HITSR.pth", "HiT-SRF", "SR", "Y", "Urban100", 26.80, "HiT-SR, ECCV 2024"),
    Official("DCTLSA_X4.pt", "DCTLSA", "SR", "Y"),
    Official("DCTLSA_X3.pt", "DCTLSA_x3", "SR", "Y"),
    Official("DCTLSA_X2.pt", "DCTLSA_x2", "SR", "Y"),
    Official(
        "LapSRN_x4_Y.pth", "LapSRN", "SR", "grey", "BSD100", 27.36, "twtygqyy/pytorch-LapSRN"
    ),
    Official("dncnn_color_blind.pth", "DnCNN", "DN", "RGB"),
    Official("ffdnet_color.pth", "FFDNet", "DN", "RGB"),
    Official("ADNet_color_c50.pth", "ADNet", "DN", "RGB", arguments=(("order", "bgr"),)),
    Official("DnCNN3.pth", "DnCNN3", "DN", "grey", "BSD68", 26.10, "cszn/DnCNN"),
    Official("PReNet6_Rain100H.pth", "PReNet", "DR", "Y", "Rain100H", 29.46, "csdwren/PReNet"),
    Official("PReNet6_Rain100L.pth", "PReNet", "DR", "Y", "Rain100L", 37.48, "csdwren/PReNet"),
)  # fmt: skip
"""CRAFT's and HiT-SRF's files are those of challenge entries; the numbers are of their papers."""


def luma(image: np.ndarray) -> np.ndarray:
    """Y of BT.601 of an image in [0, 1], [h, w, 1] in [0, 1]; an image of one channel stays."""
    if image.shape[2] == 1:
        return image
    return ((image @ _LUMA + 16) / 255)[..., None]


def psnr(restored: np.ndarray, true: np.ndarray) -> float:
    """Of two images in [0, 1], in dB."""
    return float(-10 * np.log10(np.mean((restored - true) ** 2)))


def bundled() -> Iterator[tuple[str, np.ndarray]]:
    """The centres of the bundled photographs, uint8."""
    for name in cem.example_names():
        image = cem.example_image(name)
        y, x = ((length - _SIDE) // 2 for length in image.shape[:2])
        yield name, image[y : y + _SIDE, x : x + _SIDE]


def of_folder(folder: Path) -> Iterator[tuple[str, np.ndarray]]:
    """The images of a folder in the order of their names, uint8."""
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in (".png", ".bmp", ".jpg", ".jpeg", ".tif", ".tiff"):
            with Image.open(path) as image:
                yield path.name, np.asarray(image.convert("RGB"))


def degraded(known: Official, scale: int, image: np.ndarray, seed: int) -> np.ndarray:
    """The network's input, float in [0, 1] but for noise: neither clipped nor rounded.

    Args:
        known: of which network.
        scale: by which it enlarges.
        image: uint8 [h, w, c], the sides multiples of the scale.
        seed: of rain; noise has seed 0, as the field's codes take one seed for every image.
    """
    if known.task == "SR":
        return np.asarray(cem.Scene.super_resolution(image, scale).degraded)
    if known.task == "DR":
        return np.asarray(cem.make_scene("DR", image, seed=seed).degraded)
    noise = np.random.default_rng(0).standard_normal(image.shape)
    return image / 255 + _SIGMA * noise


def enlarged(image: np.ndarray, scale: int) -> np.ndarray:
    """A network's input [h, w, c] as large as its output, bicubically as Pillow does it."""
    if scale == 1:
        return image
    height, width = (scale * side for side in image.shape[:2])
    levels = np.rint(255 * image).astype(np.uint8)
    channels = [Image.fromarray(one) for one in np.moveaxis(levels, -1, 0)]
    large = [one.resize((width, height), Image.Resampling.BICUBIC) for one in channels]
    return np.stack([np.asarray(one) for one in large], axis=-1) / 255


def measure(
    known: Official, network: cem.Network, images: Mapping[str, np.ndarray]
) -> dict[str, Any]:
    """Means over images.

    Args:
        known: what was published of it.
        network: it.
        images: uint8, by name.

    Returns:
        "psnr" and "input", in dB by the convention of the published number, the input of a network
        that enlarges being enlarged bicubically; "border" in pixels, "images".
    """
    border = network.scale if known.task == "SR" else 0
    after, before = [], []
    for seed, image in enumerate(images.values()):
        height, width = (side // network.scale * network.scale for side in image.shape[:2])
        clean = image[:height, :width]
        if network.channels == 1:
            clean = cem.to_grey(clean)
        given = degraded(known, network.scale, clean, seed)
        restored = np.clip(np.asarray(network(given[None].astype(np.float32)))[0], 0, 1)
        as_large = enlarged(given, network.scale)
        inner = (slice(border, height - border), slice(border, width - border))
        convert = luma if known.channel == "Y" else np.asarray
        true = convert(clean[inner] / 255)
        after.append(psnr(convert(restored[inner].astype(np.float64)), true))
        before.append(psnr(convert(as_large[inner]), true))
    return {
        "psnr": float(np.mean(after)),
        "input": float(np.mean(before)),
        "border": border,
        "images": len(images),
    }


def find(weights: Path, file: str) -> Path | None:
    """A file of a folder, at any depth."""
    return next(iter(sorted(weights.rglob(file))), None)


def measured(weights: Path, images: Mapping[str, np.ndarray], name: str) -> dict[str, Any]:
    """The record of all checkpoints that are there.

    Args:
        weights: folder with official checkpoints.
        images: uint8, by name.
        name: of the images, in words.

    Returns:
        {"images", "rows": {"FILE NETWORK": numbers}}.
    """
    rows = {}
    for known in OFFICIAL:
        path = find(weights, known.file)
        if path is not None:
            network = cem.load(known.network, path, **dict(known.arguments))
            rows[_key(known)] = measure(known, network, images)
            print(f"{_key(known)}: {rows[_key(known)]['psnr']:.2f} dB", flush=True)
    return {"images": name, "rows": rows}


def recorded(file: Path) -> dict[str, Any]:
    """The record of what the authors' code reaches on the three demo images.

    Args:
        file: a JSON list of files with their "sanity" PSNRs by image, "sanity_x3" and the like
            where one file is for several factors.

    Returns:
        As `measured`. Derainers are left out: the rain of the record is not known.
    """
    entries = {entry["file"]: entry for entry in json.loads(file.read_text())}
    rows = {}
    for known in OFFICIAL:
        if known.task == "DR" or known.file not in entries:
            continue
        entry, factor = entries[known.file], known.network.partition("_")[2]
        images = entry.get(f"sanity_{factor}", entry["sanity"]).values()
        channel = "RGB" if known.channel == "RGB" else "Y"
        ours, given = {
            "SR": (f"net_{channel}", f"bicubic_{channel}"),
            "DN": ("net50" if known.channel == "grey" else "net", "noisy50"),
        }[known.task]
        rows[_key(known)] = {
            "psnr": float(np.mean([one[ours] for one in images])),
            "input": float(np.mean([one[given] for one in images])),
            "border": cem.models.describe(known.network).scale if known.task == "SR" else 0,
            "images": len(images),
        }
    name = "the demo images of the paper's repository, recorded with the authors' code"
    return {"images": name, "rows": rows}


def _key(known: Official) -> str:
    return f"{known.file} {known.network}"


PARTS = {"recorded": "demo images", "measured": "photographs"}
"""Parts of the record, and how the table calls their images."""


def table(record: Mapping[str, Any]) -> str:
    """The table, in Markdown."""
    parts = {name: record[part] for part, name in PARTS.items() if part in record}
    rows = []
    for known in OFFICIAL:
        by_images = {name: part["rows"].get(_key(known), {}) for name, part in parts.items()}
        borders = {found["border"] for found in by_images.values() if found}
        convention = known.channel
        if borders:
            border = max(borders)
            convention += f", {border} px left out" if border else ", whole"
        published = f"{known.psnr:.2f} ({known.data}; {known.source})" if known.psnr else "-"
        rows.append(
            {
                "network": known.network,
                "file": known.file,
                "convention": f"{known.task}: {convention}",
                **{
                    column: f"{found[key]:.2f}" if found else "-"
                    for name, found in by_images.items()
                    for key, column in (("psnr", f"{name} (dB)"), ("input", f"{name}, input"))
                },
                "published (dB)": published,
            }
        )
    return cem.markdown_table(rows)


def with_table(page: str, record: Mapping[str, Any]) -> str:
    """A page with the table between its marks.

    Raises:
        ValueError: the page has no such marks.
    """
    told = []
    for part, name in PARTS.items():
        if part in record:
            count = max((row["images"] for row in record[part]["rows"].values()), default=0)
            told.append(f"*{name}*: {record[part]['images']}, {count} images.")
    text = f"{' '.join(told)}\n\n{table(record)}"
    return evaluate.with_table(page, text, "official")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--weights", type=Path, help="folder with official checkpoints: measure")
    parser.add_argument("--images", type=Path, help="folder of images; else the bundled ones")
    parser.add_argument("--recorded", type=Path, metavar="JSON", help="record that was given")
    parser.add_argument("--results", type=Path, help="folder of the record")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="page that receives the table")
    given = parser.parse_args()
    if given.weights is None and given.recorded is None and given.results is None:
        parser.error("needs --weights, --recorded, or --results with a record")
    kept = None if given.results is None else given.results / RECORD
    record = json.loads(kept.read_text()) if kept is not None and kept.exists() else {}
    if given.weights is not None:
        chosen = of_folder(given.images) if given.images else bundled()
        name = given.images.name if given.images else "centres of the bundled photographs"
        record["measured"] = measured(given.weights, dict(chosen), name)
    if given.recorded is not None:
        record["recorded"] = recorded(given.recorded)
    if kept is not None:
        kept.write_text(json.dumps(record, indent=1) + "\n")
    if given.write is not None:
        given.write.write_text(with_table(given.write.read_text("utf-8"), record), "utf-8")
    else:
        print(table(record))


if __name__ == "__main__":
    main()
