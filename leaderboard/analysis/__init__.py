"""Statistics on counts: intervals, comparisons, ranks, correlations.

Nothing here knows how a number is printed.
"""
