"""The result: effects with their errors, differences, files. Imports `plans`, `scene`, `store`."""
