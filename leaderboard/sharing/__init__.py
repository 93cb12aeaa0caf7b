"""Results of several labs: check them, and merge them.

Nothing here changes a result.
"""
