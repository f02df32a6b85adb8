# answer: size
# rejected: counts as gone what the last layer deletes
update_mb = 1
patched_mb = 75 + 24 + 80 + 14 + 1
disk_mb = (75 + 24 + 80) + (14 + 1 + 1) + (230 + 2)
naive_mb = 75 + 24 + (420 - 290) + 80
fleet_mb = 8 * (230 + 2) + 4 * (75 + 24 + 80 + 230 + 2)
