"""The queues of the record store, exact to the request: an event kernel in numba that SimPy steers.

The way of a request: edge process -> frames of a partition -> one append transaction (group commit) ->
answer; then persist and score, each one transaction at a time for each partition. Processors are shared:
every tier is a pool of cores in which all running tasks progress at the same rate.
"""
