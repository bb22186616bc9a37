"""The operators' interface over HTTP: JSON, for programs that hold a token."""
