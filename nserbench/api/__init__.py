"""What a user of Python calls, and what the command line shares with it."""
