"""`python -m op25b`."""

from op25b.cli.main import main

main()
