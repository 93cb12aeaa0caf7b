"""From result folders to tables, figures and the page."""
