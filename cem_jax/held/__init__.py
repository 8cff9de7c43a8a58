"""Operations of a network by name, and networks in which some of them are held.

Imports `cone`, `network`, `scene`.
"""
