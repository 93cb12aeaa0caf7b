"""From audio and text to features and transcripts in the store.

Nothing here trains a head.
"""
