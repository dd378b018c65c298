"""Word files: templates filled, blocks built, narrative kept, the package checked."""
