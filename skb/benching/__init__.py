"""Benchmarks that a user runs on a host: the product beside its peers on the same instances.

Peers are never required: each is imported or started when it is asked for, and absent ones are
named with the command that installs them.
"""
