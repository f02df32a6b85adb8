# answer: size
# rejected: shared layers each time, and the second tag
update_mb = 1
patched_mb = 75 + 24 + 80 + 14 + 1
disk_mb = 194 + 194 + 194 + 411
naive_mb = 75 + 24 + 420 + 80 + 0
fleet_mb = 8 * (230 + 2) + 4 * (75 + 24 + 80 + 230 + 2)
