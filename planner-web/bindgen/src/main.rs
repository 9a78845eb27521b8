//! `planner-web-bindgen IN.wasm OUT-DIR`: cuts the planner into the file that starts and the parts
//! that follow when they are asked for (`parts.json` lists the files of each), and writes the
//! JavaScript side of the first with wasm-bindgen for the `web` target.
//!
//! IN.wasm must be linked with `--emit-relocs`.

use std::collections::BTreeMap;
use std::error::Error;
use std::fs;
use std::path::Path;
use std::process::ExitCode;

use wasm_bindgen_cli_support::Bindgen;
use wasm_split_cli_support::Options;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let [input, out] = args.as_slice() else {
        eprintln!("usage: planner-web-bindgen IN.wasm OUT-DIR");
        return ExitCode::from(2);
    };
    match run(Path::new(input), Path::new(out)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("error: {why:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(input: &Path, out: &Path) -> Result<(), Box<dyn Error>> {
    let wasm = fs::read(input)?;
    let (main, parts) = (out.join("planner_web.wasm"), out.join("parts"));
    let mut options = Options::new(&wasm);
    options.output_dir = &parts;
    options.main_out_path = &main;
    let split = wasm_split_cli_support::transform(options)?;
    let files: BTreeMap<_, _> = split.prefetch_map.into_iter().collect();
    let lines: Vec<String> = files.iter().map(|(part, files)| format!("{part:?}: {files:?}")).collect();
    fs::write(out.join("parts.json"), format!("{{{}}}\n", lines.join(", ")))?;

    let mut bindgen = Bindgen::new();
    bindgen.input_path(&main).typescript(false).web(true)?;
    // what the parts need of the first file is among the linker's own exports
    bindgen.keep_lld_exports(true).remove_name_section(true).remove_producers_section(true);
    bindgen.generate(out)?;
    Ok(())
}
