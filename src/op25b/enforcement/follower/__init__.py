"""From the store to the kernel: what the live sets should hold, kept so within milliseconds of every change.

`desired` says what should be there, a pure function of the present state; `present` reads that state; `mirror` knows
what the enforcer has confirmed; `follower` brings the two together, and `loop` says when.
"""
