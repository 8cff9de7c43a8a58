"""Inside the network: through what a block acts, together with which others, and how much.

Imports `attribution`, `effects` and below.
"""
