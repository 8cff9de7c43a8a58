"""The causal cone of a JAX function: interventions on an image, computed only where they matter.

Which part of every intermediate value an intervention can change, and which part a region of the
output needs, follows from the jaxpr; see `docs/cone.md`.
"""

from .analyse import Rectangle as Rectangle
from .analyse import reachable as reachable
from .analyse import receptive_radius as receptive_radius
from .execute import run as run
from .transform import Cone as Cone
from .transform import Plan as Plan
from .transform import Work as Work
from .transform import cone as cone
from .transform import plan as plan
from .transform import restricted as restricted
from .windows import Program as Program
