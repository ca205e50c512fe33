"""An installation is looked at from outside: what is wrong with it, and what to type about it."""
