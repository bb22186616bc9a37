"""How a customer comes by user name and password for sending mail, and back to them when they are lost.

`applications`: at once, on proof of the POP password (`proofs`, `pop_login`) or of the notice of acceptance
(`acceptances`). `reissues`: by post, through the desk. `issuing`: what of it changes an account. `tries` keeps
strangers from guessing, and from learning who is a customer.
"""
