"""What the bundled networks reach on the validation photographs, as a table.

    python -m cem_jax.experiments.evaluate --photos PHOTOS [--dncnn dncnn_color_blind.pth]

Whole photographs, PSNR over RGB of the clipped output, averaged over photographs; noise and rain
are seeded by the number of the photograph. The official DnCNN, where given, sees the same images.
"""

import argparse
import json
from pathlib import Path

import cem_jax as cem
from cem_jax.experiments.photos import read_folder
from cem_jax.experiments.train import baseline, validate
from cem_jax.experiments.training_data import cut


def evaluate(photos: Path, dncnn: Path | None) -> str:
    """The table, in Markdown.

    Args:
        photos: what `experiments.photos` wrote.
        dncnn: the official DnCNN's checkpoint, or None.

    Raises:
        ValueError: there are no validation photographs.
    """
    images = [cut(image, 4) for _, image in read_folder(photos / "val")]
    if not images:
        raise ValueError(f"photos={photos}: needs PNG files in val/")
    networks = []
    for name in cem.models.names():
        path = cem.models.bundled_weights(name)
        if path is not None:
            steps = json.loads(path.with_suffix(".json").read_text())["steps"]
            networks.append((cem.load(name), str(steps)))
    if dncnn is not None:
        networks.append((cem.load("DnCNN", dncnn), "official"))
    rows = []
    for network, steps in networks:
        facts = cem.models.describe(network.name)
        task = facts.tasks[0]
        before, after = baseline(images, task), validate(network, images, task)
        rows.append(
            {"network": network.name, "task": task, "parameters": facts.parameters, "steps": steps}
            | {"input (dB)": before, "output (dB)": after, "gain (dB)": after - before}
        )
    return cem.markdown_table(rows)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--photos", type=Path, required=True)
    parser.add_argument("--dncnn", type=Path)
    args = parser.parse_args()
    print(evaluate(args.photos, args.dncnn))


if __name__ == "__main__":
    main()
