"""What a label is: tables, column rules, canonical bytes. Pure; reads and writes nothing."""
