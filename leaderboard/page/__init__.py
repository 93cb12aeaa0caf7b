"""The leaderboard as a static page: one folder that any browser opens."""
