"""Read folders of results into confusion matrices, each folder once.

No metric is computed here.
"""
