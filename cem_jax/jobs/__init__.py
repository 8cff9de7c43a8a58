"""Many maps as one job, and the files that describe jobs.

Imports `inside`, `effects` and below.
"""
