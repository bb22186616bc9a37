"""`op25b serve`: from a configuration file to running processes. Each part that may be configured has a module."""
