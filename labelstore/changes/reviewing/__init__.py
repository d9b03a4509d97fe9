"""Review: the state that labels are in, and what a tagged version must hold."""
