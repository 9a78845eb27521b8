#!/bin/sh
# Tests the page in a headless Chromium. Installs what it needs: the packages
# of package-lock.json, and Debian's Chromium where there is none.
set -eu
cd "$(dirname "$0")/.."
target=${CARGO_TARGET_DIR:-target}
chromium=${CHROMIUM:-/usr/bin/chromium}
if [ ! -x "$chromium" ]; then
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends chromium fonts-noto-cjk >/dev/null
fi
planner-web/build.sh
node --test planner-web/tests/sources.test.mjs
cargo test --locked --quiet --package planner-web
cargo build --locked --quiet --package planner-cli --no-default-features # without measuring: only its JSON is read
KVPLAN=$(cd "$target" && pwd)/debug/kvplan CHROMIUM=$chromium \
    node --test --test-concurrency=1 planner-web/tests/page.test.mjs
