"""The command line: parse, call the store, print."""
