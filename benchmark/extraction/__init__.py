"""Extract features and transcripts from audio and text, and store them.

Nothing here trains a head.
"""
