"""Karmayogi LRS: an event-driven xAPI learning-record store."""
