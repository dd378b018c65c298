"""The parts of a cost standard study: each takes sheets of the workbook to tables of the report."""
