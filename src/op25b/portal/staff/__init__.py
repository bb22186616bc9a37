"""Who of the provider's staff may do what, and how they log in."""
