"""The admin's first page: how the service is, and what needs a hand.

`series` decides, `figures`, `trends` and `troubles` look things up, `page` puts together what one
person may see. What was looked up is kept for a moment (`keeping`), so that many open pages cost
the database what one costs.
"""
