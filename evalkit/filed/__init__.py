"""Forms that units filed, read as they were filed: what stands in them, cell by cell."""
