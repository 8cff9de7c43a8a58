"""The demo: Causal Effect Maps of three networks on one photograph.

    cem-jax demo --out DIR

Super-resolution, denoising and deraining of the same bundled scene and region, with the bundled
compact networks and the paper's plan. DIR receives report.html, teaser.png and teaser.pdf, a folder
for each map (map.npz, and the sweep, so that a second run redraws at once), and table.md.
"""

from pathlib import Path

import matplotlib

import cem_jax as cem

SCENE = "cabin"
ROI = cem.ROI(96, 40, 32, 32)
PLAN = cem.CoarseToFine(coarse=3, fine=50, tolerance=0.01)
NETWORKS = {"SR": "EDSR-compact", "DN": "DnCNN-compact", "DR": "SRResNet_DR-compact"}


def make_scene(task: str) -> cem.Scene:
    """The demo's scene of a task: "SR" x4, "DN" sigma 50 or "DR"."""
    clean = cem.example_image(SCENE)
    return {
        "SR": cem.Scene.super_resolution,
        "DN": cem.Scene.denoising,
        "DR": cem.Scene.deraining,
    }[task](clean, name=SCENE)


def demo(
    out: Path, plan: cem.Plan = PLAN, progress: bool = True
) -> list[dict[str, float | int | str]]:
    """Computes the three maps, draws figure and report, and writes the table.

    Args:
        out: folder to write; one that holds an earlier run of the demo is continued.
        plan: draws for each block.
        progress: show progress on a terminal.

    Returns:
        The rows of the table: `cem.summarise`, and `psnr_in`, the region's PSNR before (dB).

    Raises:
        ValueError: the folder cannot be used, or holds other results.
    """
    maps, rows = [], []
    for task, name in NETWORKS.items():
        scene = make_scene(task)
        network = cem.load(name)
        effect_map = cem.causal_effect_map(
            network, scene, ROI, plan=plan, directory=out / task, progress=progress
        )
        effect_map = cem.with_images(effect_map, network, scene)
        effect_map.save(out / task / "map.npz")
        summary = cem.summarise(effect_map)
        maps.append(effect_map)
        rows.append(
            {
                "task": summary.pop("task"),
                "network": summary.pop("network"),
                "psnr_in": cem.input_psnr(scene, effect_map),
                **summary,
            }
        )
    (out / "table.md").write_text(cem.markdown_table(rows) + "\n")
    with matplotlib.rc_context({"pdf.fonttype": 42}):
        figure = cem.plot_teaser(maps)
        for suffix in ("png", "pdf"):
            figure.savefig(out / f"teaser.{suffix}", dpi=200)
    cem.report(maps, out / "report.html")
    return rows
