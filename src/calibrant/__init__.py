"""Calibrant: trust the scores that your automation acts on."""
