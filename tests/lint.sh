#!/usr/bin/env bash
# lint.sh - is snn.h clean? (make lint)
#
#     tests/lint.sh [BUILD]
#
# Warnings of every compiler at hand as C99 and C++98 to C++20, as implementation and header only;
# exported symbols and writable globals; line length, tabs, trailing blanks, words left open; and,
# to be looked at, compile time, object size and line count. Exits with 1 where it is not clean.
cd "$(dirname "$0")/.." || exit 1
build=${1:-build}/lint
mkdir -p "$build"
warn="-Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow
      -Wdouble-promotion -Wundef -Wvla"
bad=0
printf '#define SNN_IMPLEMENTATION\n#include "snn.h"\n' > "$build/impl.c"
printf '#include "snn.h"\nint unit(void);\nint unit(void) { return snn_version(); }\n' > \
    "$build/header.c"

check() { # check TEXT FILE: a file that must be empty
    local n
    n=$(grep -cE "${3:-.}" "$2")
    [ "$n" = 0 ] || { head -n 12 "$2"; bad=1; }
    printf '%-44s %s\n' "$1" "$n"
}
warnings() { # warnings COMPILER FLAG...
    local file
    if ! command -v "$1" > /dev/null; then
        [[ " ${missing-} " == *" $1 "* ]] && return
        missing="${missing-} $1"
        echo "$1 is not installed: not checked"
        [ -z "${CI-}" ] || bad=1
        return
    fi
    for file in impl header; do
        "$@" $warn -I. "$build/$file.c" 2> "$build/out"
        echo "exit $?" | grep -v 'exit 0' >> "$build/out"
        check "warnings, $file: $(echo "$*" | sed 's/-x c++ //;s/ -o .*//')" "$build/out" \
            '(warning|error|exit)[: ]'
    done
}

for cc in gcc clang; do
    warnings $cc -std=c99 -Wstrict-prototypes -fsyntax-only
    warnings $cc -std=c99 -Wstrict-prototypes -O2 -c -o "$build/out.o"
done
for cxx in g++ clang++; do
    for std in c++98 c++11 c++20; do warnings $cxx -x c++ -std=$std -fsyntax-only; done
done
warnings gcc -std=c99 -O2 -DSNN_NO_SIMD -c -o "$build/out.o"

cc=${CC:-cc}
$cc -std=c99 -O2 -fno-pie -I. -c "$build/impl.c" -o "$build/impl.o" || bad=1
if command -v nm > /dev/null; then
    nm -g --defined-only "$build/impl.o" | awk '$NF !~ /^_?snn_[a-z]/' > "$build/out"
    check "exported symbols that are not snn_*" "$build/out"
    nm "$build/impl.o" | awk '$(NF - 1) ~ /^[BbDdCS]$/' > "$build/out"
    check "writable globals" "$build/out"
    echo "exported snn_* functions: $(nm -g --defined-only "$build/impl.o" | wc -l)"
else
    echo "nm is not installed: symbols not checked"
    [ -z "${CI-}" ] || bad=1
fi
"$cc" -std=c99 -I. -dM -E "$build/impl.c" | sort > "$build/macros"
"$cc" -std=c99 -dM -E -x c - < <(grep -hoE '^ *# *include *<[a-z0-9_]+\.h>' snn.h | sort -u |
    grep -vE 'arm_neon|windows|intrin') | sort > "$build/known"
comm -23 "$build/macros" "$build/known" | awk '$2 !~ /^_?_?(SNN|snn)_/' |
    grep -vE '^#define _' > "$build/out"
check "macros without the prefix" "$build/out"

sources=$(find . -name 'build*' -prune -o \
    \( -name '*.[ch]' -o -name '*.cpp' -o -name '*.sh' \) -print)
grep -nE '^.{101,}' $sources > "$build/out"
check "lines over 100 columns" "$build/out"
grep -nE $'[[:blank:]]$|\t' $sources > "$build/out"
check "tabs and trailing blanks" "$build/out"
grep -nE '\b(TO[D]O|FIX[M]E|XX[X]|HAC[K])\b' $sources > "$build/out"
check "words left open" "$build/out"

seconds() { local TIMEFORMAT=%R; { time "$@"; } 2>&1; }
echo "compile seconds at -O0: $(seconds $cc -O0 -I. -c "$build/impl.c" -o "$build/out.o")"
echo "compile seconds at -O2: $(seconds $cc -O2 -I. -c "$build/impl.c" -o "$build/out.o")"
echo "compile seconds, header only: $(seconds $cc -O2 -I. -c "$build/header.c" -o "$build/out.o")"
echo "object bytes at -O2: $(wc -c < "$build/impl.o")"
echo "snn.h lines: $(wc -l < snn.h)"
[ $bad = 0 ] && echo "clean" || echo "not clean"
exit $bad
