"""The customers' pages: what is restricted, whom it concerns, why mail is not sent, and what to do about it."""
