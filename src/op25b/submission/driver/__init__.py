"""Sockets, TLS, limits, workers: what the protocol, the accounts and the spool need to be a service.

`workers` is the supervisor, `server` one of its workers, `connection` one client. All that the workers must know of
each other (who is connected how often, how much was sent) stands in memory that they share: `ledger` and `metrics`.
"""
