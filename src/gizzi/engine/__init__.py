"""The loop: collect, fold, evaluate, correlate, decide, record."""
