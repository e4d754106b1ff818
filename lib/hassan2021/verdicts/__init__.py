"""What is said of the claims, a module a topic."""
