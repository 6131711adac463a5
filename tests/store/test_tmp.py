import time
from tests.store.test_statement import *
async def test_x(path):
    for forwards in (True, False):
        statements = chain(LONGEST_CHAIN + 4)
        t=time.perf_counter()
        for statement in statements if forwards else statements[::-1]:
            await path.accept(statement)
        print("accept", time.perf_counter()-t); t=time.perf_counter()
        await path.do(path.persist, most=99)
        print("persist", time.perf_counter()-t); t=time.perf_counter()
        found = await postings(path, statements)
        print("postings", time.perf_counter()-t); t=time.perf_counter()
        await path.proven()
        print("proven", time.perf_counter()-t); t=time.perf_counter()
