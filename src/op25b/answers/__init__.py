"""A person's question and its answer in words, Japanese and English. Pure: translations are passed in."""
