# answer: bill
# rejected: one of the two fleets is paid anyway
month_usd = 2 * HOUR * 730
update_usd = 4 * HOUR * 40 / 60
serverless_usd = 400_000 * 0.15 * 2 * GB_SECOND
even_requests = 2 * HOUR * 730 / (0.15 * 2 * GB_SECOND)
forgotten_usd = 2 * HOUR * (6 + 24 + 24 + 9)
