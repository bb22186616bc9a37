"""What every process that stays up is made of, whatever it does: start, listen, tell, reload, stop.

`supervisor` starts the processes; `stopping`, `ticking` are for those that it has started; `memory` is what they share.
"""
