"""What is done with a report after it was rendered: refresh, verify, opinions, copies."""
