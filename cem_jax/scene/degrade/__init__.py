"""How a clean image becomes an input. Imports what stands at the root."""
