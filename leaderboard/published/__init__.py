"""Numbers of papers, and how they stand beside ours.

Nothing here is a result of this program.
"""
