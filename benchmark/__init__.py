"""Run studies: from a request to folders of results."""
