"""The log: partitions of records in the order in which they were made durable."""
