"""Parts that several commands use: options, progress bars, tables, text formats.

No command belongs here.
"""
