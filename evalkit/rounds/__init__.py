"""The science of a round of filed forms: monitoring, self-evaluation review, target review."""
