"""One notebook, executed in a warm kernel of its own."""
