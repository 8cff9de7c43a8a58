"""Attribution methods to compare with: LAM, integrated gradients, occlusion.

Local attribution maps, integrated gradients, plain gradients and occlusion, for any network, task
and scale. `docs/attribution.md` says how they differ from causal effects. Imports
`effects` and below.
"""

from cem_jax.attribution.contribution import area_of_contribution as area_of_contribution
from cem_jax.attribution.gradients import gradient_detector as gradient_detector
from cem_jax.attribution.gradients import gradient_map as gradient_map
from cem_jax.attribution.gradients import integrated_gradients as integrated_gradients
from cem_jax.attribution.gradients import local_attribution_map as local_attribution_map
from cem_jax.attribution.occlusion import occlusion_map as occlusion_map
from cem_jax.attribution.record import Attribution as Attribution
