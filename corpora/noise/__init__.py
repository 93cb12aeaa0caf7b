"""Noise recordings, and how they are mixed with speech.

Nothing here depends on the labels of a corpus.
"""
