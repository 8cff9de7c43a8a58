"""A network as `apply(params, x)` with its facts; loading and wrapping. Imports `models`."""
