"""The synthetic corpus and its noises.

Recordings of people do not belong here.
"""
