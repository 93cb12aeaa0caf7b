"""Noise recordings, and how they are mixed with speech.

Nothing here knows of labels or folds of a corpus.
"""
