"""Train an upstream and a head together, on audio.

What heads on stored features need belongs into `training`.
"""
