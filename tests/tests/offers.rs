//! What a plan offers holds when it is typed: changes, most users, longest session, fewest GPUs.

use planner_core::catalog;
use planner_core::plan::{Verdict, plan};
use planner_core::request::Request;
use planner_core::spec::model::ModelSpec;
use planner_tests::request;

const MODELS: [&str; 10] = [
    "llama3-70b",
    "llama3.1-8b",
    "qwen3-30b-a3b",
    "gemma3-27b",
    "gpt-oss-120b",
    "deepseek-v2-lite",
    "bloom",
    "falcon-h1-34b",
    "mamba2-2.7b",
    "phi4",
];
const ENGINES: [&str; 6] = ["architecture", "vllm", "sglang", "llama.cpp", "tensorrt-llm", "transformers"];
const GPUS: [&str; 6] = ["h100-80gb", "a100-40gb", "rtx-4090", "l40s", "h200-141gb", "b200"];

/// Numbers in an order that looks random and is always the same (SplitMix64).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) % bound as u64) as usize
    }

    fn one<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    /// True `parts` times of ten.
    fn happens(&mut self, parts: usize) -> bool {
        self.below(10) < parts
    }

    fn question(&mut self) -> (&'static str, String) {
        let model = self.one(&MODELS);
        let mut line = format!(
            "--engine {} --gpu {} --seq {} --users {}",
            self.one(&ENGINES),
            self.one(&GPUS),
            self.one(&[1000, 8192, 32_768, 131_072]),
            self.one(&[1, 8, 64, 500]),
        );
        for (flag, parts, values) in [
            ("--tp", 5, &["1", "2", "4", "8"][..]),
            ("--pp", 2, &["2", "3"]),
            ("--dp", 2, &["2"]),
            ("--gpus", 2, &["2", "4", "8", "16"]),
            ("--kv-dtype", 3, &["fp8"]),
            ("--kv-memory", 1, &["512MiB", "20GiB"]),
            ("--ctx-size", 1, &["65536"]),
            ("--max-model-len", 1, &["131072"]),
        ] {
            if self.happens(parts) {
                line.push_str(&format!(" {flag} {}", self.one(values)));
            }
        }
        (model, line)
    }
}

fn verdict(model: &ModelSpec, request: &Request) -> Option<Verdict> {
    plan(model, request).ok()?.verdict
}

fn fits(model: &ModelSpec, request: &Request) -> bool {
    verdict(model, request).is_some_and(|verdict| verdict.fits)
}

/// The request with flags typed beside, or in place of, those given.
fn typed(request: &Request, changes: &[(&str, String)]) -> Request {
    let mut request = request.clone();
    for (flag, value) in changes {
        request.set(flag.trim_start_matches("--"), value).unwrap();
    }
    request
}

#[test]
fn what_is_offered_fits_when_it_is_typed() {
    let mut numbers = Numbers(1);
    let (mut offers, mut limits) = (0, 0);
    for _ in 0..600 {
        let (name, line) = numbers.question();
        let (model, request) = (catalog::model(name).unwrap(), request(&line).unwrap());
        let Some(verdict) = verdict(&model, &request) else { continue };
        for offer in &verdict.alternatives {
            let changes: Vec<(&str, String)> =
                offer.changes.iter().map(|change| (change.flag(), change.value())).collect();
            assert!(fits(&model, &typed(&request, &changes)), "{name} {line}: {changes:?}");
            for (flag, value) in &changes {
                assert!(
                    !line.contains(&format!("{flag} {value} ")),
                    "{name} {line}: {flag} {value} was typed"
                );
            }
            offers += 1;
        }
        let users = |users: u64| fits(&model, &typed(&request, &[("users", users.to_string())]));
        if verdict.max_users > 0 {
            assert!(users(verdict.max_users), "{name} {line}: {} users", verdict.max_users);
            limits += 1;
        }
        assert!(!users(verdict.max_users + 1), "{name} {line}: more than {} users", verdict.max_users);
        if let Some(tokens) = verdict.max_seq.filter(|tokens| *tokens > 0) {
            let longest = typed(&request, &[("seq", tokens.to_string())]);
            assert!(fits(&model, &longest), "{name} {line}: {tokens} tokens");
            assert!(model.max_position.is_none_or(|most| tokens <= most), "{name} {line}: beyond the model");
        }
    }
    assert!(offers > 400 && limits > 200, "{offers} offers, {limits} limits");
}

/// Sizes whose product is a number of GPUs.
fn sizes(gpus: u64) -> impl Iterator<Item = [u64; 3]> {
    let divisors = |n: u64| (1..=n).filter(move |size| n.is_multiple_of(*size));
    divisors(gpus).flat_map(move |tp| divisors(gpus / tp).map(move |pp| [tp, pp, gpus / tp / pp]))
}

#[test]
fn fewest_gpus_are_those_of_an_exhaustive_search() {
    let mut numbers = Numbers(2);
    let mut compared = 0;
    while compared < 300 {
        let (name, line) = numbers.question();
        if line.contains("--dp") || line.contains("--kv-memory") || line.contains("--gpus") {
            continue;
        }
        let (model, request) = (catalog::model(name).unwrap(), request(&line).unwrap());
        let Some(verdict) = verdict(&model, &request) else { continue };
        let some_fit = |gpus: u64| {
            sizes(gpus).any(|[tp, pp, dp]| {
                let flags = [("tp", tp.to_string()), ("pp", pp.to_string()), ("dp", dp.to_string())];
                fits(&model, &typed(&request, &flags))
            })
        };
        // what needs more is not searched here
        let last = verdict.min_gpus.unwrap_or(12).min(13);
        let found = (1..=last).find(|gpus| some_fit(*gpus));
        match verdict.min_gpus {
            Some(gpus) if gpus <= 13 => assert_eq!(found, Some(gpus), "{name} {line}"),
            _ => assert_eq!(found, None, "{name} {line}: {:?}", verdict.min_gpus),
        }
        compared += 1;
    }
}
