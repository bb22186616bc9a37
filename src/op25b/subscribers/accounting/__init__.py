"""The lease server: what access servers report about sessions, over RADIUS or HTTP, becomes facts about leases.

`packets` and `rest` read reports, `facts` says what follows, `intake` puts it into the store and acknowledges it;
`server` and `posted` are the two ports, `job` is the process.
"""
