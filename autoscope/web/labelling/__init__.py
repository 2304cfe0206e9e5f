"""Label requests over HTTP: lease, look, correct, answer."""
