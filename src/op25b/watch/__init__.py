"""Who keeps trying on port 25, and which machines look infected: from packet headers and counts alone."""
