"""A sweep on disk: its configuration, its outcomes, several processes. Imports nothing of ours."""
