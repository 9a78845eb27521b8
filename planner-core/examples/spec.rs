//! Prints what a `config.json` says about memory: layers, cache bytes and parameters.
//!
//! `cargo run -p planner-core --example spec -- config.json [tokens]`

#![allow(clippy::print_stdout, missing_docs)]

use planner_core::dtype::DType;

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let path = arguments.next().ok_or("usage: spec config.json [tokens]")?;
    let tokens: u64 = arguments.next().unwrap_or_else(|| "17".into()).parse()?;
    let spec = planner_core::source::from_config_json(&std::fs::read_to_string(path)?, false)?;
    for engine in ["architecture", "transformers"] {
        let mut total = 0;
        for layer in &spec.layers {
            for store in layer.stores.iter().filter(|store| store.is_kept_by(engine)) {
                total +=
                    store.session_bytes(tokens, spec.source_len.unwrap_or(0), DType::BF16, DType::BF16)?;
            }
        }
        println!("{engine}: {total} bytes at {tokens} tokens");
    }
    println!("parameters {} weight bytes {} dtype {}", spec.parameters, spec.weight_bytes, spec.dtype.name);
    for part in &spec.parts {
        println!(
            "  {:16} {:>16} active {:>16} bytes {:>16}",
            part.name, part.parameters, part.active, part.bytes
        );
    }
    for origin in &spec.origin {
        println!("  {} = {} from {}", origin.field, origin.value, origin.from);
    }
    let mut last = None;
    for layer in &spec.layers {
        let line =
            format!("{} owner {:?} q {} {:?}", layer.kind(), layer.owner, layer.query_heads, layer.stores);
        if last.as_ref() != Some(&line) {
            println!("  layer {}: {line}", layer.index);
        }
        last = Some(line);
    }
    for note in &spec.notes {
        println!("  note {}: {}", note.code, note.text);
    }
    Ok(())
}
