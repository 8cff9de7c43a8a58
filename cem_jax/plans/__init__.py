"""Which draws should exist, and what they say of an effect. Imports `pool`."""
