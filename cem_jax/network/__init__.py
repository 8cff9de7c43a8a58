"""A network as `apply(params, x)` with its facts; loading. Imports `models`, `store`."""
