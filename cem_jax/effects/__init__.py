"""The steps in order: plans ask, a sweep answers, maps are made. Imports all folders before it."""
