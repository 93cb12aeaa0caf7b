"""From what was asked for to cells: names, grids, protocols, splits.

Nothing here reads features or trains, so that a grid is checked before work starts.
"""
