#!/bin/sh
# Compiles c/*.c to objects/*.o with clang 14 and libbpf's headers; record.ts then asks the kernel about them.
set -e
cd "$(dirname "$0")"
for file in c/*.c; do
  clang-14 -O2 -g -target bpf -mcpu=v3 -fdebug-compilation-dir=. -I"/usr/include/$(uname -m)-linux-gnu" \
    -c "$file" -o "objects/$(basename "$file" .c).o"
  llvm-strip-14 -g "objects/$(basename "$file" .c).o" 2>/dev/null || true
done
