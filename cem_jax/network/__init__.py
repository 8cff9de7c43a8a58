"""A network as `apply(params, x)` with its facts; loading, wrapping. Imports `models`, `store`."""
