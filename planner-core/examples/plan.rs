//! Plans one model under every engine on a GPU.
//!
//! `cargo run -p planner-core --example plan -- llama3.1-8b h100 8192`

#![allow(clippy::print_stdout)]

use planner_core::{EngineId, Gpu, Request, Result, catalog, engine, plan};

fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut next = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let (model, gpu, tokens) = (next("llama3.1-8b"), next("h100"), next("8192"));
    let model = catalog::model(&model)?;
    let mut request = Request::new().gpu(Gpu::resolve(&gpu)?);
    request.set("seq", &tokens)?;
    for engine in engine::all() {
        let request = request.clone().engine(EngineId::named(engine.id()));
        match plan(&model, &request) {
            Ok(plan) => println!(
                "{:<14} {:>15} B a session, most users {}",
                engine.id(),
                plan.engine.session_bytes,
                plan.max_users().unwrap_or(0)
            ),
            Err(error) => println!("{:<14} {error}", engine.id()),
        }
    }
    Ok(())
}
