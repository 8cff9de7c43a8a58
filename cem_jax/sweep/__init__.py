"""Interventions in, outcomes out, on devices. Imports `cone`, `network`, `pool`, `scene`, `store`."""
