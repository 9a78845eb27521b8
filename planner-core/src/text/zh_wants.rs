//! What a value should be, in Chinese: the English sentences of errors with `{}` for their figures.
//! A sentence that is not here stays English.

const WANTS: &[(&str, &str)] = &[
    ("a whole number of tokens of at least 1, such as {}", "不小于 1 的整数个 token，例如 {}"),
    ("a whole number of at least {}", "不小于 {} 的整数"),
    ("a size such as {}, {} or a number of bytes", "大小，例如 {}、{}，或字节数"),
    (
        "a size of at least {}, such as {} (a bare number is bytes)",
        "不小于 {} 的大小，例如 {}（不带单位即字节）",
    ),
    ("a share above 0 and up to 1, such as {}", "大于 0、不超过 1 的比例，例如 {}"),
    ("on or off", "on 或 off"),
    ("auto, on or off", "auto、on 或 off"),
    ("dynamic, static or quantized", "dynamic、static 或 quantized"),
    ("`auto` or one of {}", "`auto` 或下列之一：{}"),
    ("a multiple of {}", "{} 的倍数"),
    ("the product of {}, {} and {}", "{}、{} 与 {} 之积"),
    ("a divisor of the model's {} attention heads", "该模型 {} 个注意力头的约数"),
    ("a divisor of {}, which is {}", "{}（即 {}）的约数"),
    ("ngram:N, mtp:N or eagle:N, N drafted tokens", "ngram:N、mtp:N 或 eagle:N（草拟 N 个 token）"),
    ("a known version of {}: {}", "{} 的已知版本：{}"),
    ("a cache type of llama.cpp: {}", "llama.cpp 的缓存类型：{}"),
    ("at least the {} tokens of a session", "不小于一个会话的 {} 个 token"),
    ("at most {} GPUs", "最多 {} 块 GPU"),
    ("at most {} layers in all", "总共最多 {} 层"),
    ("at most {}", "最多 {}"),
    ("at least {} users", "不少于 {} 个用户"),
    ("auto, bf16 or fp8 ({})", "auto、bf16 或 fp8（{}）"),
    ("auto, bf16, f16 or fp8 ({})", "auto、bf16、f16 或 fp8（{}）"),
    ("left out: {} keeps no key and value heads", "不给出：{} 不保留键值头"),
    ("left out, or with one engine", "不给出，或只选一个引擎"),
    ("a model, such as {} (see `kvplan models`)", "一个模型，例如 {}（见 `kvplan models`）"),
    ("a server that a command starts: {}", "可由命令启动的服务：{}"),
    ("from {} to {}", "{} 到 {}"),
];

/// The Chinese for what a value should be.
pub(super) fn want(english: &str) -> String {
    let known = WANTS.iter().find_map(|(template, chinese)| Some((captures(template, english)?, *chinese)));
    known.map_or_else(
        || english.to_owned(),
        |(found, chinese)| found.iter().fold(chinese.to_owned(), |text, part| text.replacen("{}", part, 1)),
    )
}

/// What stands at the `{}` of a template, where the text is of its form.
fn captures<'a>(template: &str, text: &'a str) -> Option<Vec<&'a str>> {
    let mut parts = template.split("{}");
    let mut rest = text.strip_prefix(parts.next()?)?;
    let mut found = Vec::new();
    for part in parts {
        let at = if part.is_empty() { rest.len() } else { rest.find(part)? };
        found.push(&rest[..at]);
        rest = &rest[at + part.len()..];
    }
    rest.is_empty().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::request::Request;
    use crate::text::{Lang, error_message};

    #[test]
    fn figures_move_into_the_chinese_sentence() {
        assert_eq!(want("a divisor of --tp, which is 8"), "--tp（即 8）的约数");
        assert_eq!(want("at most 16 GPUs"), "最多 16 块 GPU");
        assert_eq!(want("something new"), "something new");
    }

    #[test]
    fn every_flag_that_is_mistyped_says_so_in_chinese() {
        let flags = "seq users tp kv-memory memory-utilization reserve ctx-size ubatch kv-unified flash-attn \
                     cache speculative strict weight-dtype";
        for flag in flags.split_whitespace() {
            let error = Request::default().set(flag, "nonsense").unwrap_err();
            let text = error_message(Lang::Zh, &error);
            let (_, want) = text.split_once("应为：").expect(flag);
            assert!(want.chars().any(|c| ('\u{4e00}'..='\u{9fff}').contains(&c)), "{flag}: {text}");
        }
    }
}
