"""Report templates: made from a style profile and an outline, restyled by a firm, checked."""
