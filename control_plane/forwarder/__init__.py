"""The forwarder: the way into a session for whoever came by a share, a process of its own.

Invariant: it judges each connection by what the control plane has told it and its own clock, never
by what nginx has kept; whatever stops being allowed is cut at once.
"""
