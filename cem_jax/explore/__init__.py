"""A page on this machine that makes maps while one looks. Imports `view`, `effects` and below."""
