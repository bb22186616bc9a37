"""What customers do for themselves: credentials for sending mail, and requests for exemptions.

Every form works without script, says beside the field what is wrong with it, and tells nobody who is a customer.
"""
