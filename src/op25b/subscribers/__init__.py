"""Subscribers: their accounts, and how they prove who they are.

`accounts` keeps them in the store, `names` says how names and addresses are compared, `schemes` reads every hash that
may be taken over, `passwords` makes and checks, `importing` reads passwd-files, `lockout` decides who may try again,
and `login` puts these together for a server that must not block.
"""
