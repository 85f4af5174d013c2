"""Measurements of this project against others, on the same machine in one run."""
