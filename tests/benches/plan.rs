//! How long one plan takes in the library. Run with `cargo bench -p planner-tests`.

use planner_core::catalog;
use planner_core::plan::plan;
use planner_core::request::Request;

fn main() {
    divan::main();
}

/// One plan of a model that is already read.
#[divan::bench(args = ["llama3-70b", "gemma3-27b", "deepseek-v3"])]
fn one_plan(bencher: divan::Bencher<'_, '_>, id: &str) {
    let Ok(model) = catalog::model(id) else { return };
    let request = Request { seq: Some(1000), users: 20, ..Request::default() };
    bencher.bench_local(|| plan(divan::black_box(&model), divan::black_box(&request)));
}

/// Reading a configuration through its family.
#[divan::bench(args = ["llama3-70b", "gemma3-27b", "deepseek-v3"])]
fn read_model(bencher: divan::Bencher<'_, '_>, id: &str) {
    bencher.bench_local(|| catalog::model(divan::black_box(id)));
}
