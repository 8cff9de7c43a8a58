"""Maps of denoisers: what counts is near the region.

Claim: at sigma 50 effects are local and small, with or without global operations (Hu et al., the
gallery of denoisers). The official networks that are shown here have none.

    cem-jax figures dn

Numbers: docs/results/dn.json (preset compact, 1968 s on 2 cpu).
"""

from typing import TYPE_CHECKING, Any

from cem_jax.experiments.figures import galleries
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NETWORKS = (
    "DnCNN", "SRResNet_DN", "RCAN_DN", "SwinIR_DN", "Restormer_DN", "FFDNet", "IRCNN", "RIDNet",
    "DRUNet", "SADNet", "SCUNet", "MIRNetV2", "XRestormer_DN",
)  # fmt: skip
"""Of the bundled ones, those that are there are shown where no official networks are."""


def compute(study: Study) -> dict[str, Any]:
    """The networks' maps of the gallery's scenes."""
    return galleries.make(study, "DN", NETWORKS)


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """A row for each scene."""
    return galleries.show(store, results, colour_map)


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    return galleries.say(results)
