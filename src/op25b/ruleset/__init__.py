"""The policy at one instant as vendor-neutral rules, and the dialects in which they are written. Pure."""
