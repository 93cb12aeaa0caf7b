"""Make tables, figures and the page from folders of results."""
