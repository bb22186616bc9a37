"""For those who keep Postfix: op25b as its SASL server and policy server, and the configuration that plugs it in."""
