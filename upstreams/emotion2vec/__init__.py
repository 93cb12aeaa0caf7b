"""emotion2vec, written anew for its checkpoints.

Nothing here runs code that a checkpoint brings.
"""
