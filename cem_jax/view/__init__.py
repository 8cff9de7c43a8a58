"""Maps as pictures and as a page. Imports `map`, `attribution` and below."""
