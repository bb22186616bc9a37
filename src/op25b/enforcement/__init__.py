"""Puts a ruleset in force and takes it back: the kernel's packet filter."""
