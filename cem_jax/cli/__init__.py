"""The command `cem-jax`. Imports the public API and `experiments`, when a command needs them."""
