"""Exemptions from request to end: who asked, what was found, who granted it, and which are in force at an instant.

`transitions` is the one table of what leads where, `criteria` says what a request must show, `checks` finds it out,
`desk` makes the changes and `queries` says what is in force.
"""
