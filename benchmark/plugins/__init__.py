"""The hooks that plugins use, and the registry of what they offer.

No knowledge of any single plugin belongs here.
"""
