"""The command lines: one module a command, one function a verb."""
