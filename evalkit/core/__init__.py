"""Models, exact numbers, problems, safe files: what every other room stands on."""
