"""The Conformer of SpeechBrain, read from its checkpoints.

Nothing here runs code that a checkpoint brings.
"""
