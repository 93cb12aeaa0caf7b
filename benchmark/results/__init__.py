"""The result of one cell: metrics, predictions, flags and the environment.

Tables over several results belong to the leaderboard.
"""
