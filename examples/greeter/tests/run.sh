#!/bin/sh
# Runs every tests/*.test.sh in a shell of its own; fails when one of them fails.
cd "$(dirname "$0")/.." || exit 1
count=0
failed=0
for test in tests/*.test.sh; do
  [ -e "$test" ] || continue
  count=$((count + 1))
  if sh -eu "$test"; then echo "ok    $test"; else echo "FAIL  $test"; failed=$((failed + 1)); fi
done
echo "$count test files, $failed failed"
[ "$failed" -eq 0 ]
