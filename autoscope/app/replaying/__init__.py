"""What another policy would have done on what a session recorded."""
