"""One function per verb; none commits. The transaction belongs to who calls."""
