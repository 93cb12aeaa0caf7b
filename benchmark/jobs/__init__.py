"""A cell with all that it needs, and the trained heads of its folds.

Nothing here decides in which order or process jobs run.
"""
