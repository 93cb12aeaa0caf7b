"""The hooks that plugins use, and the registry of what they offer.

No code for a single plugin belongs here.
"""
