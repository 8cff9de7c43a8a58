"""The clean image, the degraded input, the task's do(). Imports `store`."""
