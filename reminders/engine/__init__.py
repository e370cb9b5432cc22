"""The use cases. They own the transactions; the edges call them and show what they return."""
