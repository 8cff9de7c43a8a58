"""Training, bundled data and figures; uses the public API alone."""
