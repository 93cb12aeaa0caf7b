"""Enhancers: models that remove noise before an upstream gets the audio.

What an upstream does with the audio does not belong here.
"""
