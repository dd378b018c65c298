"""Word reports, figures and working papers, written from a Result alone."""
