"""The Conformer of SpeechBrain, read from its checkpoints.

No code of a checkpoint is run.
"""
