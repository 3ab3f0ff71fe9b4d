#!/bin/sh
# Records how libbpf links objects/*.o: what the verifier prints of each program that `bpftool -d prog loadall` gives it.
# Wants root and a bpf file system at /sys/fs/bpf. sh record-bpftool.sh > golden/objects.txt
cd "$(dirname "$0")" || exit 1
bpftool version | sed 's/^/# /'
echo "# Linux $(uname -r | sed 's/-.*//'). Kernel addresses are left out. Legacy maps (socket.o) are not taken by this libbpf."
for name in xdp tc; do
  pin=/sys/fs/bpf/netsieve_record_$name
  rm -rf "$pin"
  bpftool -d prog loadall "objects/$name.o" "$pin" 2>&1 | sed -nE \
    -e "s/^libbpf: prog '([^']*)': -- BEGIN PROG LOAD LOG --.*/=== $name \1/p" \
    -e 's/^ *([0-9]+ +)?([0-9]+): [0-9.]{10} (\(..\) .*)$/\2: \3/p' | sed -E 's/0xffff[0-9a-f]{12}/ADDRESS/'
  rm -rf "$pin"
done
