"""Sessions as watchers see them: read from their folders, never from the process that runs them."""
