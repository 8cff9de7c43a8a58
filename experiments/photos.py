"""Photographs for training: a manifest of free images in, folders `train`, `val` and `test` out.

    python -m cem_jax.experiments.photos MANIFEST SOURCE OUT

MANIFEST is a JSON list of records with `split`, `source`, `path`, `sha256` and `shrink`; SOURCE
holds the unpacked packages and wheels that the records name. Every file's checksum is verified,
the image is shrunk by its factor (a box average, which removes JPEG's traces) and written as PNG.
"""

import argparse
import hashlib
import json
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image


def _find(source: Path, record: dict) -> bytes | None:
    """The file's bytes if SOURCE has them: in an unpacked package or in a wheel."""
    kind, name = record["source"].split(":")
    if kind == "deb":
        path = source / name / record["path"].lstrip("/")
        return path.read_bytes() if path.exists() else None
    for wheel in source.glob(f"**/{name.replace('-', '_')}-*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            if record["path"] in archive.namelist():
                return archive.read(record["path"])
    return None


def prepare(manifest: Path, source: Path, out: Path) -> dict[str, int]:
    """Writes the photographs that SOURCE has into OUT/train, OUT/val and OUT/test.

    Args:
        manifest: the JSON list.
        source: folder with the unpacked packages.
        out: folder to write.

    Returns:
        How many images each split received.

    Raises:
        ValueError: a file's checksum differs from the manifest's.
    """
    counts: dict[str, int] = {}
    for record in json.loads(manifest.read_text()):
        data = _find(source, record)
        if data is None:
            continue
        if hashlib.sha256(data).hexdigest() != record["sha256"]:
            raise ValueError(f"{record['path']}: the sha256 differs from the manifest's")
        split = record["split"].split()[0].split("-")[0]
        image = Image.open(BytesIO(data)).convert("RGB").reduce(record["shrink"])
        folder = out / split
        folder.mkdir(parents=True, exist_ok=True)
        image.save(folder / f"{record['sha256'][:8]}-{Path(record['path']).stem}.png")
        counts[split] = counts.get(split, 0) + 1
    return counts


def read_folder(folder: Path) -> Iterator[tuple[str, UInt8[np.ndarray, "h w c"]]]:
    """Name and uint8 [h, w, 3] of every PNG in a folder, in the order of their names."""
    for path in sorted(folder.glob("*.png")):
        yield path.stem, np.asarray(Image.open(path).convert("RGB"))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("manifest", "source", "out"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    for split, count in prepare(args.manifest, args.source, args.out).items():
        print(f"{split}: {count} photographs")


if __name__ == "__main__":
    main()
