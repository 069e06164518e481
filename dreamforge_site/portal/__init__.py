"""The portal under `/app/`: pages for people who are no operators, and for phones.

The server gives shells only: who is signed in, what they may start, and the page's frame. What is
in a page comes from `/v1`, asked by the page's own script, as any other client would.
"""
