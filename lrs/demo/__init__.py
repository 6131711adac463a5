"""The demonstration: a cohort of learners that uses the LRS as any client does, and a live view of it.

What the learners say is made by learner.py (who they are), phrase.py (statements), sitting.py (one
sitting at one module) and career.py (what they learn, in which order), all pure and the same for the
same seed; the load tests and the compression dictionary use it too.
"""
