"""How long the store takes to find statements: `python -m benchmarks.query`.

Statements are written by the store's own way in (log, frames, persist), without HTTP. Then each kind of
question is asked many times, with arguments drawn anew, and the plan of one of them is kept.
"""
