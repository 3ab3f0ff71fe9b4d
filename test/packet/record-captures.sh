#!/bin/bash
# What tshark says of the captures in samples/: for each, a line of JSON with the number of packets, the first and the last packet in the clear,
# and the SHA-256 of all of them, a line each: `seconds.nanoseconds length captured-length md5-of-the-bytes interface`.
# Usage: test/packet/record-captures.sh > test/packet/captures.golden.json      (Debian package tshark)
set -euo pipefail
cd "$(dirname "$0")/../../samples"
rows() {
  tshark -r "$1" -o frame.generate_md5_hash:TRUE -T fields -E separator=' ' -e frame.time_epoch -e frame.len \
    -e frame.cap_len -e frame.md5_hash -e frame.interface_id 2>/dev/null
}
echo '{'
echo "  \"tool\": \"$(tshark --version 2>/dev/null | head -1)\","
echo '  "captures": {'
comma=''
for file in *.pcap *.pcapng; do
  rows "$file" >"/tmp/rows.$$"
  printf '%s    "%s": { "packets": %d, "first": "%s", "last": "%s", "sha256": "%s" }' "$comma" "$file" \
    "$(wc -l <"/tmp/rows.$$")" "$(head -1 "/tmp/rows.$$")" "$(tail -1 "/tmp/rows.$$")" \
    "$(sha256sum <"/tmp/rows.$$" | cut -d' ' -f1)"
  comma=$',\n'
done
rm "/tmp/rows.$$"
printf '\n  }\n}\n'
