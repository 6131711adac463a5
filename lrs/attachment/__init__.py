"""Attachments' data: kept once in a tenant by their SHA-2, for as long as a statement uses them."""
