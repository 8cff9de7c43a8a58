"""Interventions in, outcomes out. Imports `cone`, `network`, `pool`, `scene`, `store`."""
