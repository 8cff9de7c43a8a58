"""The causal cone of a JAX function: interventions on an image, computed only where they matter.

Which part of every intermediate value an intervention can change, and which part a region of the
output needs, follows from the jaxpr; see `docs/cone.md`. Imports nothing of ours.
"""

from .execute import run as run
from .jaxpr import used_arguments as used_arguments
from .reach import Rectangle as Rectangle
from .reach import reachable as reachable
from .reach import receptive_radius as receptive_radius
from .transform import Code as Code
from .transform import Cone as Cone
from .transform import ConePlan as ConePlan
from .transform import MultiplyAdds as MultiplyAdds
from .transform import cone as cone
from .transform import plan as plan
from .transform import restricted as restricted
from .two_windows import two_windows as two_windows
from .windows import WindowProgram as WindowProgram
from .worth import evaluations_worth_compiling as evaluations_worth_compiling
