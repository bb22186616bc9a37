"""Telling the customers: which notice of a phase is due, what it says, and who was told."""
