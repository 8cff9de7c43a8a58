"""`python -m cem_jax.cli` is `cem-jax`."""

from cem_jax.cli.main import main

main()
