"""The door to the container engine: a process of its own, with rules that are the host's."""
