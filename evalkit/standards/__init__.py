"""Cost standards: from the books of a service to its quota, spending standard and targets."""
