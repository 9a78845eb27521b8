use super::{DECAY, HEAD_DIM, HEADS, Layer, Variant, answer, embed, with_cache};
use serde_json::Value;

const ZH: &str = "我爱大模型";

fn told(sentence: &str, variant: Variant) -> Value {
    let request = format!(r#"{{"sentence": "{sentence}", "variant": "{}"}}"#, variant.name());
    answer(&request)
}

fn number(answer: &Value, path: &str) -> u64 {
    answer.pointer(path).and_then(Value::as_u64).unwrap()
}

#[test]
fn the_cached_output_is_the_uncached_output_bit_for_bit() {
    for variant in Variant::ALL {
        for sentence in [ZH, "the same nine words can be said here again !"] {
            let answer = told(sentence, variant);
            let steps = answer["steps"].as_array().unwrap();
            assert!(!steps.is_empty());
            for step in steps {
                assert_eq!(step["output_cached"], step["output_uncached"]);
                assert_eq!(step["same"], true);
            }
        }
    }
}

/// Row bytes by hand: 2 x heads x 2 x 4 B, and (4 + 2) x 4 B for the latent.
#[test]
fn bytes_of_rows_by_hand() {
    for (variant, row, state, after_five) in [
        (Variant::Mha, 64, 0, 320),
        (Variant::Gqa, 32, 0, 160),
        (Variant::Mqa, 16, 0, 80),
        (Variant::Sliding, 32, 0, 96), // three rows of the five
        (Variant::Mla, 24, 0, 120),
        (Variant::Recurrent, 0, 64, 64), // 4 heads x 2 x 2 x 4 B
    ] {
        let answer = told(ZH, variant);
        assert_eq!(number(&answer, "/row_bytes"), row, "{variant:?}");
        assert_eq!(number(&answer, "/state_bytes"), state, "{variant:?}");
        let kept = number(&answer, "/steps/4/kept_bytes");
        assert_eq!(kept, after_five, "{variant:?}");
    }
}

/// By hand, grouped heads: a row costs 8 x 8 (Q) + 2 x 8 x 4 (K, V) + 8 x 8
/// (output) = 192, and reading n rows 2 x 4 heads x 2 x n = 16 n. Five tokens
/// with a cache: 5 x 192 + 16 x 15 = 1,200. Without: row j is done 6 - j
/// times: 192 x 15 + 16 x (1x5 + 2x4 + 3x3 + 4x2 + 5x1 = 35) = 3,440.
#[test]
fn work_of_grouped_heads_by_hand() {
    let answer = told(ZH, Variant::Gqa);
    assert_eq!(number(&answer, "/steps/0/cached/multiply_adds"), 208);
    assert_eq!(number(&answer, "/steps/4/cached/multiply_adds"), 272);
    assert_eq!(number(&answer, "/steps/4/cached/total_multiply_adds"), 1_200);
    assert_eq!(number(&answer, "/steps/4/uncached/total_multiply_adds"), 3_440);
    assert_eq!(number(&answer, "/steps/4/cached/total_rows"), 5);
    assert_eq!(number(&answer, "/steps/4/uncached/total_rows"), 15);
}

/// By hand, for token five (all with a cache):
/// - all heads: 3 x 64 + 64 + 16 x 5 = 336;
/// - one head: 64 + 2 x 16 + 64 + 16 x 5 = 240;
/// - window of three: 192 + 16 x 3 = 240;
/// - latent: Q 64 + 64, latent 32, key 16, output 64; the query into the
///   latent and the values out of it 4 x 8 each; each row 4 x (4 + 2) scores
///   and 4 x 4 sums: 240 + 64 + 5 x 40 = 504;
/// - state: 3 x 64 + 64, decay and update 32, recall 16: 304 at any length.
#[test]
fn work_of_the_other_variants_by_hand() {
    for (variant, work) in [
        (Variant::Mha, 336),
        (Variant::Mqa, 240),
        (Variant::Sliding, 240),
        (Variant::Mla, 504),
        (Variant::Recurrent, 304),
    ] {
        let answer = told(ZH, variant);
        let got = number(&answer, "/steps/4/cached/multiply_adds");
        assert_eq!(got, work, "{variant:?}");
    }
    let answer = told(ZH, Variant::Recurrent);
    assert_eq!(number(&answer, "/steps/0/cached/multiply_adds"), 304);
}

/// Attention of the last token written out again in f64, over matrices read
/// back from the layer by unit vectors.
#[test]
fn grouped_attention_equals_the_textbook_formula() {
    let layer = Layer::seeded(Variant::Gqa);
    let xs: Vec<Vec<f32>> = ["a", "b", "c", "d"].iter().map(|t| embed(t)).collect();
    let project = |m: &crate::demo::linear::Matrix, x: &[f32]| -> Vec<f64> {
        let columns: Vec<Vec<f32>> = (0..8)
            .map(|i| {
                let mut unit = [0.0; 8];
                unit[i] = 1.0;
                m.times(&unit, &mut 0)
            })
            .collect();
        (0..columns[0].len())
            .map(|c| (0..8).map(|r| f64::from(x[r]) * f64::from(columns[r][c])).sum())
            .collect()
    };
    let turn = |row: Vec<f64>, p: usize| -> Vec<f64> {
        let (s, c) = (p as f64).sin_cos();
        row.chunks(2).flat_map(|ab| [ab[0] * c - ab[1] * s, ab[0] * s + ab[1] * c]).collect()
    };
    let q = turn(project(&layer.query, &xs[3]), 3);
    let mut concat = [0.0_f64; 8];
    for h in 0..HEADS {
        let g = h / 2; // heads 0 and 1 share key-value head 0, 2 and 3 share 1
        let weight: Vec<f64> = (0..4)
            .map(|p| {
                let k = turn(project(&layer.key, &xs[p]), p);
                ((q[2 * h] * k[2 * g] + q[2 * h + 1] * k[2 * g + 1]) / 2_f64.sqrt()).exp()
            })
            .collect();
        let sum: f64 = weight.iter().sum();
        for p in 0..4 {
            let v = project(&layer.value, &xs[p]);
            for d in 0..HEAD_DIM {
                concat[2 * h + d] += weight[p] / sum * v[2 * g + d];
            }
        }
    }
    let concat: Vec<f32> = concat.iter().map(|x| *x as f32).collect();
    let want = project(&layer.output, &concat);
    let steps = with_cache(&layer, &xs);
    for (got, want) in steps[3].cached.0.iter().zip(want) {
        assert!((f64::from(*got) - want).abs() < 1e-5, "{got} {want}");
    }
}

/// The recurrence unrolled: the newest output is the sum over all tokens of
/// decay^age x (q . k) v, which is what the state has to have kept.
#[test]
fn the_state_holds_what_the_unrolled_sum_says() {
    let layer = Layer::seeded(Variant::Recurrent);
    let xs: Vec<Vec<f32>> = ["a", "b", "c"].iter().map(|t| embed(t)).collect();
    let steps = with_cache(&layer, &xs);
    let mut heads = Vec::new();
    for (h, decay) in DECAY.into_iter().enumerate() {
        let at = 2 * h;
        let mut sum = [0.0_f32; 2];
        for (p, step) in steps.iter().enumerate() {
            let q = &steps[2].row.query;
            let (k, v) = (&step.row.key, &step.row.value);
            let score = q[at] * k[at] + q[at + 1] * k[at + 1];
            let faded = decay.powi(2 - p as i32) * score;
            sum[0] += faded * v[at];
            sum[1] += faded * v[at + 1];
        }
        heads.extend(sum);
    }
    let want = layer.output.times(&heads, &mut 0);
    for (got, want) in steps[2].cached.0.iter().zip(want) {
        assert!((got - want).abs() < 1e-5, "{got} {want}");
    }
}

#[test]
fn weights_of_every_head_add_up_to_one_over_the_rows_seen() {
    for (variant, seen) in [(Variant::Gqa, 5), (Variant::Sliding, 3), (Variant::Mla, 5)] {
        let answer = told(ZH, variant);
        let heads = answer["steps"][4]["weights"].as_array().unwrap();
        assert_eq!(heads.len(), HEADS);
        for head in heads {
            let row: Vec<f64> = head.as_array().unwrap().iter().map(|w| w.as_f64().unwrap()).collect();
            assert_eq!(row.len(), seen);
            assert!((row.iter().sum::<f64>() - 1.0).abs() < 1e-6);
        }
    }
}

#[test]
fn nothing_to_read_and_unknown_names_are_answered_not_thrown() {
    for (request, code) in [
        ("", "sentence_empty"),
        ("[1, 2", "sentence_empty"),
        (r#"{"sentence": " \t ", "variant": "gqa"}"#, "sentence_empty"),
        (r#"{"sentence": "x", "variant": "nope"}"#, "variant_unknown"),
        (r#"{"sentence": "x"}"#, "variant_unknown"),
    ] {
        assert_eq!(answer(request)["error"]["code"], code, "{request}");
    }
}
