"""Networks as they are on a scene, their operations by name, and networks with some of them held.

Imports `cone`, `network`, `scene`.
"""
