"""The interactive report: saved maps as one HTML file that opens without a network.

Imports `view` and below.
"""

from cem_jax.view.report.page import report as report
