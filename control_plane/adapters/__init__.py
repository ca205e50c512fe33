"""Who we talk to: one library each, translated at the boundary."""
