"""Look up everything that a request names: cells, grids, protocols and splits.

Nothing here reads features or trains, so that a grid is checked before work starts.
"""
