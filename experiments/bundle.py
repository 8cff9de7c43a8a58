"""Makes the data that come with the package: default pool, scenes, attribution, checksums.

    python -m cem_jax.experiments.photos MANIFEST SOURCE PHOTOS
    python -m cem_jax.experiments.bundle MANIFEST PHOTOS cem_jax/data

The pool is drawn from the training photographs, the scenes are cut from test photographs; only
those under CC0, CC-BY, CC-BY-SA or in the public domain are used.
"""

import argparse
import dataclasses
import hashlib
import json
from pathlib import Path

import numpy as np
from PIL import Image

import cem_jax as cem

_FREE = ("CC0", "CC-BY", "public")


@dataclasses.dataclass(frozen=True)
class SceneCut:
    """Where a bundled scene of 256 x 256 pixels lies: file name and corner."""

    stem: str
    y: int
    x: int


SCENES = {
    "facade": SceneCut("building-at-mit", 50, 130),
    "pagoda": SceneCut("china", 40, 90),
    "cabin": SceneCut("wooden-house", 50, 100),
    "arcade": SceneCut("hallway_outdoors", 30, 20),
    "bench": SceneCut("bench-with-view", 100, 130),
    "bridge": SceneCut("Bridge_by_Sander_Klootwijk", 250, 570),
    "castle": SceneCut("castle", 30, 190),
    "coffee": SceneCut("coffee", 90, 180),
    "corridor": SceneCut("hall", 10, 0),
    "dog": SceneCut("friends_by_Aitzol_Berasategi", 430, 250),
    "garage": SceneCut("parking-ramp", 0, 210),
    "stairs": SceneCut("brick-wall-and-stairs", 40, 224),
    "tracks": SceneCut("train-tracks1", 100, 110),
    "warehouse": SceneCut("building-fireproof", 10, 60),
}
SIDE = 256


def _free(manifest: Path, photos: Path, split: str) -> list[tuple[Path, dict]]:
    """Photographs of a split that may be redistributed, with their records."""
    records = {record["sha256"][:8]: record for record in json.loads(manifest.read_text())}
    files = [(path, records[path.stem[:8]]) for path in sorted((photos / split).glob("*.png"))]
    return [
        (path, record)
        for path, record in files
        if record["redistribute_crops"] and record["licence"].startswith(_FREE)
    ]


def _credit(record: dict) -> str:
    package = record["source"].split(":")[1]
    author = record["author"] or "author not stated"
    return f"{Path(record['path']).name} ({package}), {author}, {record['licence']}"


def bundle(manifest: Path, photos: Path, out: Path) -> None:
    """Writes pool, scenes, attribution and checksums.

    Args:
        manifest: the photographs' records.
        photos: what `experiments.photos` wrote.
        out: the package's data folder.
    """
    pool_files = _free(manifest, photos, "train")
    images = [cem.open_image(path) for path, _ in pool_files]
    pool = cem.PatchPool.from_images(images, size=8, count=10_000, seed=0)
    dataclasses.replace(pool, name="default").save(out / "pool_8.npz")

    credits = []
    (out / "scenes").mkdir(exist_ok=True)
    for name, cut in SCENES.items():
        path, record = next(
            item for item in _free(manifest, photos, "test") if item[0].stem[9:] == cut.stem
        )
        image = cem.open_image(path)[cut.y : cut.y + SIDE, cut.x : cut.x + SIDE]
        Image.fromarray(np.ascontiguousarray(image)).save(out / "scenes" / f"{name}.png")
        credits.append(f"- `scenes/{name}.png`: a crop of {_credit(record)}")
    lines = [
        "# Attribution",
        "",
        "Crops of free photographs, each under its own licence. Changes: cropped, some shrunk.",
        "",
        "## Scenes",
        "",
        *credits,
        "",
        "## Pool",
        "",
        "`pool_8.npz`: 8x8 patches of these photographs:",
        "",
        *(f"- {_credit(record)}" for _, record in pool_files),
        "",
        "Written by `cem_jax.experiments.bundle`, as `SHA256SUMS` is.",
        "",
    ]
    (out / "ATTRIBUTION.md").write_text("\n".join(lines))
    sums = [
        f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.relative_to(out)}\n"
        for file in (out / "pool_8.npz", *sorted((out / "scenes").glob("*.png")))
    ]
    (out / "SHA256SUMS").write_text("".join(sums))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    for name in ("manifest", "photos", "out"):
        parser.add_argument(name, type=Path)
    args = parser.parse_args()
    bundle(args.manifest, args.photos, args.out)


if __name__ == "__main__":
    main()
