"""Train a head on stored features: batches, loss, one head or many at once.

Nothing here depends on cells, folds or files of heads.
"""
