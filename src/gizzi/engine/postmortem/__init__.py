"""What is left of an incident to learn from: a page made of facts alone."""
