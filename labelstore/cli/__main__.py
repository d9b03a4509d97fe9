"""`python -m labelstore.cli`."""

from labelstore.cli.app import main

main()
