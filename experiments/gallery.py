"""The pictures of the gallery page, drawn from the demo's maps.

cem-jax demo --out cem-demo
python -m cem_jax.experiments.gallery cem-demo docs/figures
"""

import sys
from pathlib import Path

import matplotlib

import cem_jax as cem


def draw(maps: Path, out: Path) -> list[Path]:
    """Draws all pictures.

    Args:
        maps: folder of the demo.
        out: folder to write.

    Returns:
        The files.

    Raises:
        ValueError: the demo's maps are not there.
    """
    import matplotlib.pyplot as plt
    from matplotlib.figure import Figure

    super_resolution, denoising, deraining = (
        cem.EffectMap.load(maps / task / "map.npz") for task in ("SR", "DN", "DR")
    )
    out.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []

    def keep(figure: Figure, name: str) -> None:
        written.append(out / name)
        figure.savefig(written[-1], dpi=75, bbox_inches="tight")
        plt.close(figure)

    cem.plot(super_resolution)
    keep(plt.gcf(), "one-map.png")

    figure, axes = plt.subplots(1, 3, figsize=(9, 3), layout="compressed")
    three = (super_resolution, denoising, deraining)
    limit = max(abs(end) for one in three for end in one.range)
    for ax, one in zip(axes, three, strict=True):
        cem.plot(one, ax, limit=limit).set_title(one.provenance["network"])
    cem.plot_colour_bar(three[0], axes, limit)
    keep(figure, "common-scale.png")

    with matplotlib.rc_context({"font.family": "serif", "font.size": 8}):
        figure, axes = plt.subplots(
            1, 4, figsize=(7, 1.9), layout="constrained", width_ratios=(3, 3, 1.5, 2)
        )
        cem.plot_input(denoising, axes[0]).set_title("input")
        cem.plot(denoising, axes[1]).set_title("map")
        cem.plot_shares(denoising, axes[2]).set_title("blocks")
        cem.plot_range(denoising, axes[3]).set_box_aspect(0.2)
        keep(figure, "parts.png")

    figure, axes = plt.subplots(
        1, 3, figsize=(7, 2.6), layout="constrained", width_ratios=(3, 1.5, 2)
    )
    cem.plot(denoising, axes[0], colour_map="PuOr_r")
    cem.plot_colour_bar(denoising, axes[0], colour_map="PuOr_r")
    cem.plot_shares(denoising, axes[1], colour_map="PuOr_r").set_title("blocks")
    cem.plot_range(denoising, axes[2], colour_map="PuOr_r").set_box_aspect(0.2)
    keep(figure, "colour-blind.png")

    keep(cem.plot_teaser(three), "teaser.jpg")  # noise makes a large PNG
    return written


if __name__ == "__main__":
    matplotlib.use("Agg")
    print("\n".join(map(str, draw(Path(sys.argv[1]), Path(sys.argv[2])))))
