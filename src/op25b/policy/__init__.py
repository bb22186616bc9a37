"""What is blocked, for whom, from when, and why: the model, its loading, and the verdict on one flow. Pure."""
