"""Training of policies: the configuration, the environments by name, the files that come out."""
