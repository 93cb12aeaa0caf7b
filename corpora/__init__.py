"""Labelled speech, and the noise that is mixed with it."""
