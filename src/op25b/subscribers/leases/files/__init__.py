"""Lease files of DHCP servers, and CSV files: read whole once, or followed as they grow."""
