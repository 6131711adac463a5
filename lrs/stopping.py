"""How the time for a stop (`stop_wait`) is shared out: each kind of process has until then to finish."""

EDGES_UNTIL = 0.4
WORKERS_UNTIL = 0.75
STORE_UNTIL = 0.95
