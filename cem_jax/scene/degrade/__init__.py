"""How a clean image becomes an input."""
