"""Labelled speech, and the noise that is laid under it."""
