"""The way of a statement, measured whole: a real `lrs up`, driven by Locust over HTTP.

`python -m benchmarks.path`. What the figures mean: docs/benchmarks.md.
"""
