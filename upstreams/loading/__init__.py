"""Find checkpoints by hub id or folder, and load them.

What a single model does with its weights does not belong here.
"""
