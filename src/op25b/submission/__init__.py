"""The way out: mail from the provider's customers, on 587 and 465 and, where the policy opens it, relayed on 25.

A message's life: bytes -> `protocol` (pure: events and replies) -> accounts, rights and limits -> spool, synced ->
250 -> relay -> delivered, deferred or bounced. docs/flows/5 tells it on one page.
"""
