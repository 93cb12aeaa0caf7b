"""One result folder: metrics, predictions, flags and the environment.

Tables over several results belong into the leaderboard.
"""
