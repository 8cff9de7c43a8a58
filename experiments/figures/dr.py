"""Maps of derainers: neighbours help, blocks along the streaks may harm.

Claim: deraining reaches farther than denoising, and its effects are larger (Hu et al., the gallery
of derainers).

    cem-jax figures dr

Numbers: docs/results/dr.json (preset compact, 807 s on 1 cpu).
"""

from typing import TYPE_CHECKING, Any

from cem_jax.experiments.figures import galleries
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NETWORKS = (
    "PReNet", "SRResNet_DR", "RCAN_DR", "SwinIR_DR", "MPRNet", "HINet", "Restormer_DR",
    "XRestormer_DR",
)  # fmt: skip
"""Of the bundled ones, those that are there are shown where no official networks are."""


def compute(study: Study) -> dict[str, Any]:
    """The networks' maps of the gallery's scenes."""
    return galleries.make(study, "DR", NETWORKS)


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """A row for each scene."""
    return galleries.show(store, results, colour_map)


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    return galleries.say(results)
