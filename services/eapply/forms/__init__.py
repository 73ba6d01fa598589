"""Forms: what a procedure asks, how an answer is read, mended, refused and shown. Knows no database and no web."""
