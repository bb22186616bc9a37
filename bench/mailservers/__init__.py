"""The mail servers that are measured: each is started with a configuration of its own in an empty folder."""
