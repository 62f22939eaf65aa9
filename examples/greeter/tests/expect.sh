# For tests: `. tests/expect.sh`, then `expect WHAT WANTED GOT` ends the test when the two differ.
expect() {
  [ "$2" = "$3" ] || { echo "  $1: wanted \"$2\", got \"$3\"" >&2; exit 1; }
}
