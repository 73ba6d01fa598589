"""One verb, one function. Sessions come from the edge; nothing here commits."""
