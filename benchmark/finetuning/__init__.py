"""Train an upstream and a head together, on audio.

Code that only heads on stored features need is in `training`.
"""
