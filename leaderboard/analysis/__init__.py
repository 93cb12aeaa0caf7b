"""Statistics on confusion matrices: intervals, comparisons, ranks, correlations.

No number is formatted here.
"""
