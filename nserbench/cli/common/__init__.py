"""What several commands share: options, progress bars, formats.

No command belongs here.
"""
