"""Patches that may stand in for a block, and how they are drawn. Imports `scene`, `store`."""
