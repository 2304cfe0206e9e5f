"""The experts' labelling page and the live session page, over HTTP."""
