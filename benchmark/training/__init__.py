"""Train a head on stored features: batches, loss, one head or many at once.

Nothing here knows of cells, folds or files of heads.
"""
