#!/bin/sh
# matrix.sh - every program of this folder with every compiler, language standard and a few flags
#
#     tests/compile/matrix.sh [BUILD]        BUILD: folder for the programs, default build/matrix
#
# One line a row, a row being a compiler with its flags; warnings count as errors. Closes with
# `N passed, N failed`, one for each program that was built and run. Missing compilers are named.
here=$(cd "$(dirname "$0")" && pwd)
build=${1:-build/matrix}
warn="-Werror -Wall -Wextra -Wpedantic -Wconversion -Wsign-conversion -Wshadow -Wdouble-promotion
      -Wundef -Wvla"

# row BUILD LANGUAGE COMPILER FLAG...
if [ "$1" = --row ]; then
    build=$2 language=$3; shift 3
    name=$(echo "$*" | tr -c 'A-Za-z0-9+\n' _)
    dir=$build/$name
    mkdir -p "$dir"
    log=$dir/log
    : > "$log"
    passed=0 failed=
    [ "$language" = c ] && warn="$warn -Wstrict-prototypes"
    run() { # run NAME FILE...: build the files into one program and run it
        program=$1; shift
        sources=
        for f; do sources="$sources $here/$f"; done
        if $compile $sources -x none -o "$dir/$program" -lm >> "$log" 2>&1 && "$dir/$program"; then
            passed=$((passed + 1))
        else
            echo "$program: failed ($?)" >> "$log"
            failed="$failed $program"
        fi
    }
    compile="$* $warn -x $language"
    case "$*" in
        *-DSNN_NO_SIMD*) run bare bare.c ;;
        *-std=*) # every way to include it; a row of flags does with the plain one and the smallest
            run decl decl.c decl_too.c impl.c
            run static static_one.c static_two.c
            for p in five_times no_stdio no_stdlib no_simd bare; do run $p $p.c; done ;;
        *) run no_stdio no_stdio.c; run bare bare.c ;;
    esac
    [ -z "$failed" ] || sed 's/^/    /' "$log" | head -n 20
    printf '%-40s %s ok%s\n' "$*" $passed "${failed:+, failed:$failed}"
    echo $passed $(echo $failed | wc -w) > "$dir/count"
    exit
fi

rm -rf "$build"
mkdir -p "$build"
rows() {
    for cc in gcc clang; do
        command -v $cc > /dev/null || continue
        for std in c99 c11; do echo c $cc -std=$std; done
        echo c $cc -O2
        echo c $cc -Os -ffreestanding
        echo c $cc -O3 -march=native -ffast-math
        echo c $cc -O1 -fsanitize=undefined -fno-sanitize-recover=all
        echo 'int main(void) { return 0; }' > "$build/probe.c"
        if $cc -m32 "$build/probe.c" -lm -o "$build/probe" 2> /dev/null; then
            echo c $cc -m32 -O1
        fi
    done
    for cxx in g++ clang++; do
        command -v $cxx > /dev/null || continue
        for std in c++98 c++11 c++17 c++20; do echo c++ $cxx -std=$std; done
        echo c++ $cxx -O2
    done
    if command -v tcc > /dev/null; then echo c tcc -DSNN_NO_SIMD; fi
}
for c in gcc clang g++ clang++ tcc; do
    command -v $c > /dev/null || echo "$c is not installed: its rows are left out"
done
rows | xargs -P "$(getconf _NPROCESSORS_ONLN 2> /dev/null || echo 1)" -L 1 "$0" --row "$build"

# a C program over an implementation compiled as C++, and the other way round
mixed() { # mixed NAME COMPILER... -- COMPILER...: the first for the program, the second for impl
    if command -v $2 > /dev/null && command -v $3 > /dev/null; then
        mkdir -p "$build/$1"
        $2 -c "$here/decl.c" -o "$build/$1/decl.o" &&
        $2 -c "$here/decl_too.c" -o "$build/$1/too.o" &&
            $3 -c "$here/$4" -o "$build/$1/impl.o" &&
            $5 "$build/$1/decl.o" "$build/$1/too.o" "$build/$1/impl.o" -o "$build/$1/program" -lm &&
            "$build/$1/program" && echo 1 0 > "$build/$1/count" || echo 0 1 > "$build/$1/count"
        printf '%-40s %s\n' "$2 program, $3 $4" \
            "$(sed 's/1 0/1 ok/;s/0 1/failed/' "$build/$1/count")"
    fi
}
mixed c_over_cpp gcc g++ impl.cpp g++
mixed clang_over_gcc clang gcc impl.c gcc

cat "$build"/*/count | awk '{ p += $1; f += $2 }
    END { printf "%d passed, %d failed\n", p, f; exit f > 0 || p == 0 }'
