"""Interventions in, outcomes out. Imports `cone`, `held`, `network`, `pool`, `scene`, `store`."""
