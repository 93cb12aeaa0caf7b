"""Published numbers, and how ours compare with them.

Nothing here is a result of this program.
"""
