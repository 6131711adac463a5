"""The one place where settings become objects: which adapter, which stage, wired to which metrics.

store        where the store is, its logs, how far the stages are
preparation  what a store needs before the first process starts
edge         the body of an edge process
worker       the body of a worker process
"""
