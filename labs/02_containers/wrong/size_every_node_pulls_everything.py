# answer: size
# rejected: 8 of the nodes have
update_mb = 1
patched_mb = 75 + 24 + 80 + 14 + 1
disk_mb = (75 + 24 + 80) + (14 + 1 + 1) + (230 + 2)
naive_mb = 75 + 24 + 420 + 80 + 0
fleet_mb = 12 * 411
