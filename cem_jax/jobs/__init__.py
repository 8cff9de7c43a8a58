"""Many maps as one job, and the files that describe jobs. Imports `effects` and below."""
