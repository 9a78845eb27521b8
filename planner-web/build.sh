#!/bin/sh
# Builds the page into planner-web/dist/: a static folder (index.html and its
# files, for any web server) and kvplan.html, the whole page in one file that
# opens from disk. Needs cargo, rustup and npm.
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}

locked() { # locked NAME LOCKFILE: the version that the lock file holds
    awk -v name="$1" '$1 == "name" { found = $3 == "\"" name "\"" }
        found && $1 == "version" { gsub(/"/, "", $3); print $3; exit }' "$2"
}
have=$(locked wasm-bindgen-cli-support planner-web/bindgen/Cargo.lock)
want=$(locked wasm-bindgen Cargo.lock)
if [ "$have" != "$want" ]; then
    echo "planner-web/bindgen has wasm-bindgen $have, the workspace $want: make them one" >&2
    exit 1
fi

if ! rustup target list --installed | grep -qx wasm32-unknown-unknown; then
    timeout 120 rustup target add wasm32-unknown-unknown ||
        timeout 300 rustup target add wasm32-unknown-unknown
fi
cargo build --locked --quiet --package planner-web --example data
cargo build --locked --quiet --manifest-path planner-web/bindgen/Cargo.toml --target-dir "$target/tools"

work=$target/page
rm -rf "$work" planner-web/dist
mkdir -p "$work" planner-web/dist
"$target/debug/examples/data" page >"$work/page.json"
"$target/debug/examples/data" planner >"$work/planner.txt"
"$target/debug/examples/data" flags >"$work/flags.json"

# One build, cut into the file that starts and the parts that follow when asked for
cargo rustc --locked --package planner-web --lib --crate-type cdylib \
    --profile wasm --target wasm32-unknown-unknown -- -C link-arg=--emit-relocs
"$target/tools/debug/planner-web-bindgen" \
    "$target/wasm32-unknown-unknown/wasm/planner_web.wasm" "$work"
mv "$work/planner_web_bg.wasm" "$work/parts/planner.wasm"
rm "$work/planner_web.wasm"

(cd planner-web && npm ci --silent)
if [ -z "${NO_WASM_OPT:-}" ]; then # for a quick build
    features="--enable-bulk-memory --enable-multivalue --enable-mutable-globals --enable-nontrapping-float-to-int"
    features="$features --enable-reference-types --enable-sign-ext" # what rustc makes use of
    # twice, as the second pass still finds something; -Oz would make the files 4 % smaller and their gzip larger: what travels counts
    for file in "$work"/parts/*.wasm; do
        planner-web/node_modules/.bin/wasm-opt -O2 -O2 $features --strip-debug --strip-producers --strip-target-features \
            -o "$file" "$file"
    done
fi
node planner-web/bundle.mjs "$work" planner-web/dist
