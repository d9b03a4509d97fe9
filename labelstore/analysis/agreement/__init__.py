"""Agreement: how far authors who judged the same say the same."""
