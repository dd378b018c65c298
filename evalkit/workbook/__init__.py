"""One schema engine: a YAML a workbook drives the blank, the reader and the manual."""
