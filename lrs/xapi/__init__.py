"""xAPI statements: read, checked against the specification, compared and rendered. Pure.

Both versions, 1.0.3 and 2.0.0 (IEEE 9274.1.1). Where to find what:

statement    Statement, what is read of one; Attachment, ObjectKind, Given
reader       read_statements: a body's statements, or Rejected with all that is wrong
violation    Violation, Rejected, TooMany: what was wrong, where, by which rule
rules        the rules' words and clauses; schema: objects and their members
agent        read_agent: an agent or group on its own, as in a query
score        what a score's numbers must be to each other
text         is_iri, is_language_tag, parse_uuid; timestamp: instants; language: Accept-Language
version      Version and negotiate
render       a statement as it was sent, canonical, or as ids
definition   merge_definitions; document: merging of JSON documents
attachment   what is asked of attachments; signature: of the signature of a signed statement
scan         one pass over a body's bytes; explain: the walk that tells every rule a body breaks
kernel       the machine code of both; its canonical.py: what makes two statements the same
"""
