"""Maps of super-resolution networks: with more reach come more blocks that harm.

Claim: networks that see more of the image draw on more blocks, many of which harm the region; a
higher PSNR does not mean fewer of them (Hu et al., the gallery of SR networks).

    cem-jax figures sr

Expected (preset compact, 1132 s on 1 cpu): cabin: SRCNN 17.41 dB, [-0.02, +0.33] dB, 2 % help, 0 %
harm; FSRCNN 17.38 dB, [-0.18, +0.11] dB, 2 % help, 0 % harm; EDSR 17.57 dB, [-0.33, +0.21] dB, 3 %
help, 2 % harm; SRResNet 17.57 dB, [-0.27, +0.27] dB, 2 % help, 2 % harm; IMDN 18.26 dB, [-0.22,
+0.34] dB, 53 % help, 9 % harm; RFDN 17.95 dB, [-0.37, +0.32] dB, 36 % help, 5 % harm; PAN 17.98 dB,
[-0.14, +0.43] dB, 8 % help, 6 % harm; RCAN 17.73 dB, [-0.22, +0.29] dB, 4 % help, 2 % harm; RNAN
17.68 dB, [-0.13, +0.29] dB, 3 % help, 1 % harm; SwinIR 17.56 dB, [-0.16, +0.12] dB, 2 % help, 1 %
harm.
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
"""Those that are there are shown."""


def compute(study: Study) -> dict[str, Any]:
    """The networks' maps of the gallery's scenes."""
    return galleries.make(study, "SR", NETWORKS)


def draw(store: Store, results: dict[str, Any], colour_map: str) -> "Figure":
    """A row for each scene."""
    return galleries.show(store, results, colour_map)


def expected(results: dict[str, Any]) -> str:
    """The numbers in words."""
    return galleries.say(results)
