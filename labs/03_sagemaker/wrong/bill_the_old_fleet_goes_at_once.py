# answer: bill
# rejected: ten minutes more after the canary
month_usd = 2 * HOUR * 730
update_usd = 2 * HOUR * 30 / 60
serverless_usd = 400_000 * 0.15 * 2 * GB_SECOND
even_requests = 2 * HOUR * 730 / (0.15 * 2 * GB_SECOND)
forgotten_usd = 2 * HOUR * (6 + 24 + 24 + 9)
