"""SQL over versions: our own statements, and the user's behind a guard in a process of its own."""
