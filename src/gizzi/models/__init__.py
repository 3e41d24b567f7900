"""Everything about language models: which there are, what they cost, which of them answers, and how well that choice is made."""
