"""The process that may read /etc/shadow: it judges passwords for the control plane, one by one."""
