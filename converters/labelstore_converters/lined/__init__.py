"""Formats of text files whose lines are labels: columns between blanks or commas."""
