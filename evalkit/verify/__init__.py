"""A report against its result, and against itself: alarms and notes."""
