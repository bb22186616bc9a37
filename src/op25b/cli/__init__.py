"""Commands. Clock, files, terminal and resolver are touched here; what is decided and said comes from below."""
