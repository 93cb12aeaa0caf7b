"""Read result folders into counts, each folder once.

Nothing here computes a metric.
"""
