"""The synthetic corpus and its noises.

Nothing here is speech of people.
"""
