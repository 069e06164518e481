"""Telling other systems that a job has ended: signed, repeated until heard, never in a job's way.

`outbox` writes what is owed in the transaction that ends the job; `sender` delivers it from threads
beside the io worker's slots; `transport` and `guard` are the only way out to the network.
"""
