"""A customer as JSON: the check against the spec, what has changed, and reading a field. Pure."""
