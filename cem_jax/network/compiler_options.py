"""Options of XLA that suit restoration networks."""

OPTIONS = {"xla_cpu_experimental_ynn_fusion_type": ""}
"""XLA's own convolutions on CPU, which use all threads of a device; elsewhere without effect."""
