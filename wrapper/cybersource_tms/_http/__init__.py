"""The only code that sends: one attempt, connections, step time-outs."""
