"""Maps of denoisers: what counts is near the region.

Claim: at sigma 50 effects are local and small, with or without global operations (Hu et al., the
gallery of denoisers).

    cem-jax figures dn

Expected (preset compact, 685 s on 1 cpu): cabin: DnCNN 23.47 dB, [-0.05, +0.53] dB, 4 % help, 1 %
harm; SRResNet_DN 23.66 dB, [-0.15, +0.65] dB, 4 % help, 1 % harm; RCAN_DN 23.53 dB, [-0.05, +0.62]
dB, 4 % help, 1 % harm; SwinIR_DN 23.51 dB, [-0.26, +0.59] dB, 4 % help, 2 % harm; Restormer_DN
22.37 dB, [-0.07, +0.47] dB, 8 % help, 1 % harm; FFDNet 24.39 dB, [-0.10, +0.65] dB, 5 % help, 2 %
harm.
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
"""Those that are there are shown."""


def compute(study: Study) -> dict[str, Any]:
    """The networks' maps of the gallery's scenes."""
    return galleries.make(study, "DN", NETWORKS)


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """A row for each scene."""
    return galleries.show(store, results, colour_map)


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    return galleries.say(results)
