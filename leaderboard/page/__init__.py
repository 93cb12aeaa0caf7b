"""The leaderboard as a static page: a folder that any browser can open."""
