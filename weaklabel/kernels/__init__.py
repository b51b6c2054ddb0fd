"""numba, and nothing but numba: pure functions on arrays.

Every kernel is ``@njit(cache=True)`` without ``fastmath`` (infinities are legal), adds in fixed
order or fixed chunks (the same bits on any thread count), and has a slow oracle in the tests.
"""
