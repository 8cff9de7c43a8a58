"""Maps of super-resolution networks: with more reach come more blocks that harm.

Claim: networks that see more of the image draw on more blocks, many of which harm the region; a
higher PSNR does not mean fewer of them (Hu et al., the gallery of SR networks).

    cem-jax figures sr

Numbers: docs/results/sr.json (preset compact, 1544 s on 2 cpu).
"""

from typing import TYPE_CHECKING, Any

from cem_jax.experiments.figures import galleries
from cem_jax.experiments.figures.store import Store
from cem_jax.experiments.figures.study import Study

if TYPE_CHECKING:
    from matplotlib.figure import Figure

NETWORKS = (
    "SRCNN", "FSRCNN", "EDSR", "SRResNet", "IMDN", "RFDN", "PAN", "RCAN", "RNAN", "SwinIR", "ESPCN",
    "LapSRN", "RRDBNet", "DDBPN", "MSRN", "SRDenseNet", "DRLN", "SAN", "CSNLN", "HAT",
)  # fmt: skip
"""Of the bundled ones, those that are there are shown where no official networks are."""


def compute(study: Study) -> dict[str, Any]:
    """The networks' maps of the gallery's scenes."""
    return galleries.make(study, "SR", NETWORKS)


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """A row for each scene."""
    return galleries.show(store, results, colour_map)


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    return galleries.say(results)
