"""The specification as tables, for both versions: a row is a rule, and this is where to look one up.

| rules on | are rows of |
|---|---|
| what stands in a statement | `statement_allowed.py`, `statement_refused_*.py` |
| when two statements of one id are the same | `sameness_rules.py` |
| what of a statement comes back | `exact_rules.py` |
| the Statement resource | `http_rules.py` |
| lists: filters, references, voids, time | `list_rules.py` |
| attachments and signatures | `attachment_rules.py` |
| State, profiles, preconditions, merging | `document_rules.py` |
| what all resources share: methods, versions, credentials, pages, codings | `surface_rules.py` |

What takes more than one request to see is no row. In `tests/http`: pages to the last one while others
write, and Consistent-Through, in `test_paging.py`; one id from many clients in `test_idempotency.py` and
`test_concurrency.py`; void and target in `test_void.py`; one ETag from many clients in
`test_documents.py`; scopes in `test_scope.py`; tenants in `test_tenants.py`; languages and ids in
`test_format.py`; compressed answers in `test_encoding.py`; the alternate syntax in `test_alternate.py`.
Certificates of signatures are in `tests/xapi/test_signature.py`, durability in `tests/crash`.
"""
