#!/bin/sh
# Compiles c/*.c to objects/*.o with Debian's clang, and writes what llvm-objdump and llvm-readelf say of them beside.
# CLANG=14 sh record-clang.sh
cd "$(dirname "$0")" || exit 1
version=${CLANG:-14}
mkdir -p objects
for name in xdp tc socket core; do
  debug=-g
  [ "$name" = socket ] && debug=
  "clang-$version" -target bpf -mcpu=v3 -O2 $debug -fdebug-compilation-dir=. -c "c/$name.c" -o "objects/$name.o"
  "llvm-strip-$version" -g "objects/$name.o"
done
