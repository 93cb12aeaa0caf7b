"""Check a corpus on disk, and check that an upstream keeps its contract.

Nothing here changes a store or a result.
"""
