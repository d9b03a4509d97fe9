"""What a difference is told as: a page, Markdown, and the verdict of a policy."""
