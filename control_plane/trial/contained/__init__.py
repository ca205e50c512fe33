"""The whole portal as one container beside the host's engine; sessions outlive it."""
