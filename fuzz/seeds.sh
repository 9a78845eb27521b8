#!/usr/bin/env bash
# Fills fuzz/corpus with seeds: the fixtures' configurations, GGUF files and start-up logs, and the families' expressions.
set -euo pipefail
cd "$(dirname "$0")"
mkdir -p corpus/{config,gguf,yaml,expr,startup_log}
cp ../tests/fixtures/configs/*.json ../tests/fixtures/vllm/configs/*.json corpus/config/
cp ../tests/fixtures/gguf/*.gguf corpus/gguf/
cp ../tests/fixtures/logs/*.log corpus/startup_log/
cp ../tests/fixtures/configs/*.json corpus/yaml/ # JSON is YAML
cp ../models/catalog/*.yaml corpus/yaml/
# What stands in quotes or after a key of a family is mostly an expression.
grep -hoE '"[^"]+"|: [^"#{}]+$' ../models/families/*.yaml | sed -E 's/^: //; s/^"|"$//g' | sort -u |
    while IFS= read -r line; do printf '%s' "$line" >"corpus/expr/$(printf '%s' "$line" | sha256sum | cut -c1-16)"; done
