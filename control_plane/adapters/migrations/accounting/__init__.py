"""The migrations of accounting, in the order of their numbers."""
