"""What every interface over HTTP here is made of: serving, bounds on strangers, templates, headers, languages."""
