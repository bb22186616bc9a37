"""The relay: takes messages out of the spool and hands them on, until each recipient is delivered or bounced."""
